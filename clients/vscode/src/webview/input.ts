// The question's box: Enter asks, Arrow Up brings back the last question, `@` and `/` complete.
import type { FromPage, Mention } from '../chat/messages';
import { mention } from '../chat/slash';
import { button, element } from './dom';
import type { Post } from './turn';

const COMMANDS: Mention[] = [
  { label: '/explain', detail: 'what the code does' },
  { label: '/fix', detail: 'mend the code' },
  { label: '/tests', detail: 'write tests for it' },
  { label: '/docs', detail: 'document it' },
  { label: '/refactor', detail: 'change it by instruction' },
  { label: '/search', detail: 'find code by words or meaning' },
];

export class Input {
  private readonly box = get('question') as HTMLTextAreaElement;
  private readonly list = get('mentions');
  private readonly send = get('send') as HTMLButtonElement;
  private readonly stop = get('stop') as HTMLButtonElement;
  private readonly context = get('context');
  private withSelection = true;
  private selection = '';
  private options: Mention[] = [];
  private chosen = 0;
  private last = '';

  constructor(private readonly post: Post) {
    this.send.addEventListener('click', () => this.ask());
    this.stop.addEventListener('click', () => post({ type: 'stop' }));
    this.box.addEventListener('input', () => this.complete());
    this.box.addEventListener('keydown', (event) => this.key(event));
    this.box.addEventListener('blur', () => this.offer([]));
  }

  busy(now: boolean): void {
    this.stop.hidden = !now;
    this.send.hidden = now;
  }

  /** Begin a question, unless the user has begun one. */
  prefill(text: string): void {
    if (!this.box.value.trim()) {
      this.box.value = text;
    }
    this.box.focus();
  }

  show(selection: string): void {
    this.selection = selection;
    this.drawContext();
  }

  /** What a mention may become, beside what it is; late answers to older words are dropped. */
  mentions(query: string, items: Mention[]): void {
    if (this.word() === `@${query}`) {
      this.offer(items.filter((item) => item.label !== query).map((item) => ({ ...item, label: mention(item.label) })));
    }
  }

  private drawContext(): void {
    const label = this.withSelection ? `About ${this.selection}` : 'Without the selection';
    const toggle = () => {
      this.withSelection = !this.withSelection;
      this.drawContext();
    };
    this.context.replaceChildren(
      ...(this.selection ? [button(label, toggle, { class: 'chip', 'aria-pressed': String(this.withSelection) })] : []),
    );
  }

  private ask(): void {
    const text = this.box.value.trim();
    if (text) {
      this.last = text;
      this.box.value = '';
      this.offer([]);
      this.post({ type: 'ask', text, withSelection: this.withSelection } satisfies FromPage);
    }
  }

  private key(event: KeyboardEvent): void {
    if (this.options.length && ['ArrowDown', 'ArrowUp', 'Tab', 'Enter', 'Escape'].includes(event.key) && !event.isComposing) {
      event.preventDefault();
      if (event.key === 'Escape') {
        this.offer([]);
      } else if (event.key.startsWith('Arrow')) {
        const step = event.key === 'ArrowDown' ? 1 : -1;
        this.choose((this.chosen + step + this.options.length) % this.options.length);
      } else {
        this.take(this.chosen);
      }
    } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.ask();
    } else if (event.key === 'ArrowUp' && this.box.value === '') {
      event.preventDefault();
      this.box.value = this.last;
    } else if (event.key === 'Escape' && !this.stop.hidden) {
      this.post({ type: 'stop' });
    }
  }

  /** The word that ends at the cursor. */
  private word(): string {
    return /\S*$/.exec(this.box.value.slice(0, this.box.selectionStart))?.[0] ?? '';
  }

  private complete(): void {
    const word = this.word();
    if (word.startsWith('/') && this.box.value.startsWith(word)) {
      this.offer(COMMANDS.filter((command) => command.label.startsWith(word) && command.label !== word));
    } else {
      this.offer([]);
      if (word.startsWith('@')) {
        this.post({ type: 'mention', query: word.slice(1) });
      }
    }
  }

  private offer(options: Mention[]): void {
    this.options = options;
    this.list.hidden = options.length === 0;
    this.list.replaceChildren(
      ...options.map((option, index) => {
        const item = element('li', { role: 'option', id: `option${index}` }, option.label, element('span', { class: 'note' }, ` ${option.detail}`));
        item.addEventListener('mousedown', (event) => {
          event.preventDefault(); // the box keeps the focus
          this.take(index);
        });
        return item;
      }),
    );
    this.choose(0);
  }

  private choose(index: number): void {
    this.chosen = index;
    [...this.list.children].forEach((item, at) => item.setAttribute('aria-selected', String(at === index)));
    if (this.options.length) {
      this.box.setAttribute('aria-activedescendant', `option${index}`);
    } else {
      this.box.removeAttribute('aria-activedescendant');
    }
  }

  private take(index: number): void {
    const option = this.options[index];
    if (option) {
      const end = this.box.selectionStart;
      this.box.setRangeText(`${option.label} `, end - this.word().length, end, 'end');
      this.offer([]);
      this.box.focus();
    }
  }
}

export function get(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`the page has no #${id}`);
  }
  return found;
}
