// Markdown to a tree of allowed elements. Nothing here is HTML text: the tree becomes DOM by createElement and text
// nodes, so no payload can be markup. Links, images, autolinks and HTML are no syntax at all; they stay as they were
// written. The only things that can be clicked are citations that the answer really has.
import MarkdownIt, { type Token } from 'markdown-it';

export type Node = string | Element | Cite | Code;

export interface Element {
  tag: Tag;
  children: Node[];
}

export interface Cite {
  cite: number;
}

export interface Code {
  code: string;
  language: string;
}

export type Tag = (typeof TAGS)[number];

const TAGS = [
  'p', 'strong', 'em', 's', 'code', 'ul', 'ol', 'li', 'blockquote', 'h3', 'h4', 'h5', 'h6', 'hr', 'br',
  'table', 'thead', 'tbody', 'tr', 'th', 'td', 'div',
] as const;
const HEADINGS: Record<string, Tag> = { h1: 'h3', h2: 'h4', h3: 'h5', h4: 'h6', h5: 'h6', h6: 'h6' };

const parser = new MarkdownIt('default', { html: false, linkify: false, typographer: false }).disable([
  'link', 'image', 'autolink', 'html_block', 'html_inline', 'reference',
]);

/** `known` are the numbers of the answer's citations; other numbers in brackets stay text. */
export function tree(markdown: string, known: ReadonlySet<number>): Node[] {
  return build(parser.parse(markdown, {}), known);
}

function build(tokens: readonly Token[], known: ReadonlySet<number>): Node[] {
  const root: Element = { tag: 'div', children: [] };
  const open: Element[] = [root];
  const top = () => open[open.length - 1] ?? root;
  for (const token of tokens) {
    if (token.hidden) {
      continue;
    }
    if (token.type === 'inline') {
      top().children.push(...build(token.children ?? [], known));
    } else if (token.type === 'text') {
      top().children.push(...cited(token.content, known));
    } else if (token.type === 'fence' || token.type === 'code_block') {
      top().children.push({ code: token.content.replace(/\n$/, ''), language: /^[\w+#-]*/.exec(token.info)?.[0] ?? '' });
    } else if (token.type === 'code_inline') {
      top().children.push({ tag: 'code', children: [token.content] });
    } else if (token.type === 'softbreak') {
      top().children.push('\n');
    } else if (token.nesting < 0) {
      if (open.length > 1) {
        open.pop();
      }
    } else {
      const element: Element = { tag: allowed(token.tag), children: token.content ? [token.content] : [] };
      top().children.push(element);
      if (token.nesting > 0) {
        open.push(element);
      }
    }
  }
  return root.children;
}

function allowed(tag: string): Tag {
  const name = HEADINGS[tag] ?? tag;
  return (TAGS as readonly string[]).includes(name) ? (name as Tag) : 'div';
}

function cited(text: string, known: ReadonlySet<number>): Node[] {
  return text
    .split(/(\[\d{1,3}\])/)
    .filter((part) => part !== '')
    .map((part) => {
      const n = /^\[(\d+)\]$/.exec(part)?.[1];
      return n !== undefined && known.has(Number(n)) ? { cite: Number(n) } : part;
    });
}
