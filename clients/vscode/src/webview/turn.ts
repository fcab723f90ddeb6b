// One turn as DOM: question, answer with its code and citations, where it was made, and what can be done with it.
import type { FromPage } from '../chat/messages';
import type { Outgoing, Turn } from '../chat/turns';
import type { Receipt } from '../protocol';
import { button, element, render } from './dom';
import { tree } from './markdown';

export type Post = (message: FromPage) => void;

export function turnElement(turn: Turn, last: boolean, post: Post): HTMLElement {
  const asked = element('div', { class: 'question' }, element('span', { class: 'visually-hidden' }, 'You: '), turn.question);
  if (turn.context) {
    asked.append(element('span', { class: 'chip' }, turn.context.label));
  }
  const parts: HTMLElement[] = [asked, answer(turn, post)];
  if (turn.diff) {
    parts.push(codeBlock(turn.diff, 'diff', post));
  }
  if (turn.outgoing) {
    parts.push(outgoing(turn, turn.outgoing, post));
  }
  if (turn.error) {
    parts.push(element('div', { class: 'error', role: 'alert' }, turn.error));
  }
  if (turn.state === 'stopped') {
    parts.push(element('div', { class: 'note' }, 'Stopped.'));
  }
  if (turn.citations.length) {
    parts.push(sources(turn, post));
  }
  if (turn.route) {
    const where = turn.route.target === 'local' ? 'on this machine' : `at ${turn.route.endpoint || turn.route.target}`;
    parts.push(element('div', { class: 'route' }, `${turn.route.model || 'No model'} ${where}: ${turn.route.reason}`));
  }
  parts.push(...(turn.receipts ?? []).map(receipt));
  if (turn.state !== 'writing' && turn.state !== 'approval') {
    parts.push(actions(turn, last, post));
  }
  return element('article', { class: `turn ${turn.state}`, id: turn.id, tabindex: '-1', 'aria-label': `Answer to: ${turn.question}` }, ...parts);
}

/** The answer alone, which changes while it is written. */
export function answer(turn: Turn, post: Post): HTMLElement {
  const known = new Set(turn.citations.map((citation) => citation.n));
  const body = render(tree(turn.text, known), {
    cite: (n) => button(`[${n}]`, () => post({ type: 'open', id: turn.id, n }), { class: 'cite', 'aria-label': `Open source ${n}` }),
    code: (text, language) => codeBlock(text, language, post),
  });
  const busy = turn.state === 'writing';
  const made = element('div', { class: 'answer', 'aria-busy': String(busy) }, ...body);
  if (busy && !turn.text) {
    made.append(element('span', { class: 'note' }, 'Working…'));
  }
  return made;
}

function codeBlock(text: string, language: string, post: Post): HTMLElement {
  const act = (action: 'copy' | 'insert' | 'diff') => () => post({ type: 'code', action, text });
  const bar = element(
    'div',
    { class: 'bar' },
    element('span', {}, language || 'code'),
    button('Copy', act('copy')),
    // A diff is no code: its marks would be pasted with it.
    ...(language === 'diff' ? [] : [button('Insert at Cursor', act('insert')), button('Open as Diff', act('diff'))]),
  );
  const lines = language === 'diff' ? text.split('\n').map(diffLine) : [text];
  return element('div', { class: 'block' }, bar, element('pre', { tabindex: '0' }, element('code', {}, ...lines)));
}

function diffLine(line: string): HTMLElement {
  const kind = line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : 'same';
  return element('span', { class: kind }, `${line}\n`);
}

function sources(turn: Turn, post: Post): HTMLElement {
  const items = turn.citations.map((citation) => {
    const lines = `${citation.start_line}-${citation.end_line}`;
    const place = button(`${citation.path}:${lines}`, () => post({ type: 'open', id: turn.id, n: citation.n }), { class: 'place' });
    return element('li', {}, `[${citation.n}] `, place, ` ${citation.symbol}`);
  });
  return element('ul', { class: 'sources', 'aria-label': 'Sources' }, ...items);
}

function outgoing(turn: Turn, shown: Outgoing, post: Post): HTMLElement {
  const replaced = shown.redactions === 1 ? '1 value was replaced' : `${shown.redactions} values were replaced`;
  return element(
    'section',
    { class: 'outgoing', 'aria-label': 'What would leave this machine' },
    element('p', {}, `This exact text would go to ${shown.model} at ${shown.endpoint}. ${replaced}.`),
    element('pre', { tabindex: '0' }, ...marked(shown.body, shown.marks)),
    element('ul', { class: 'sources', 'aria-label': 'Replaced values' }, ...shown.marks.map((mark) => element('li', {}, mark))),
    button('Send Exactly This', () => post({ type: 'approve', id: turn.id, yes: true })),
    button('Do Not Send', () => post({ type: 'approve', id: turn.id, yes: false })),
  );
}

/** The body with each placeholder marked. A mark begins with its placeholder. */
function marked(body: string, marks: readonly string[]): (HTMLElement | string)[] {
  const names = new Set(marks.map((mark) => mark.split(/[\s:]/)[0] ?? '').filter((name) => name !== ''));
  return body.split(/(\w+)/).map((word) => (names.has(word) ? element('mark', {}, word) : word));
}

function receipt(made: Receipt): HTMLElement {
  const facts = [
    `Receipt ${made.record_id}`,
    `${made.body_bytes} bytes to ${made.endpoint}, ${made.model}, by rule ${made.rule || 'none'}`,
    `${made.input_tokens} tokens out, ${made.output_tokens} back, $${made.usd.toFixed(4)}`,
    `Lines: ${made.spans.join(', ') || 'none'}`,
    `Replaced: ${made.redacted.join(', ') || 'nothing'}`,
  ];
  const [title = '', ...rest] = facts;
  return element('details', { class: 'receipt' }, element('summary', {}, title), ...rest.map((fact) => element('div', {}, fact)));
}

/** What can be done with the last turn, or another. */
export function actions(turn: Turn, last: boolean, post: Post): HTMLElement {
  const thumb = (which: 'up' | 'down', label: string) =>
    button(label, () => post({ type: 'thumb', id: turn.id, thumb: which }), {
      'aria-pressed': String(turn.thumb === which),
      title: 'Kept on this machine',
    });
  const made = element('div', { class: 'actions' }, thumb('up', 'Helpful'), thumb('down', 'Not helpful'));
  if (last) {
    made.append(button('Ask Again', () => post({ type: 'regenerate' }), { class: 'again' }));
  }
  return made;
}
