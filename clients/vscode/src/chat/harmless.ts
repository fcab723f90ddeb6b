// An answer for a renderer that is not ours: links, images and HTML outside of code blocks become plain text.
import MarkdownIt from 'markdown-it';

const parser = new MarkdownIt();

export function harmless(markdown: string): string {
  const lines = markdown.split('\n');
  const code = new Set<number>();
  for (const token of parser.parse(markdown, {})) {
    if (token.type === 'fence' && token.level === 0 && token.map) {
      for (let line = token.map[0]; line < token.map[1]; line++) {
        code.add(line);
      }
    }
  }
  return lines.map((line, index) => (code.has(index) ? line : line.replaceAll(/[<[\]]/g, '\\$&'))).join('\n');
}

/** Text as Markdown that shows it and nothing else. VS Code's own way makes every blank one that no line breaks at. */
export function literal(text: string): string {
  return text.replaceAll(/[!-/:-@[-`{-~]/g, '\\$&');
}
