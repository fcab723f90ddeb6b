// The chat's page: keeps the turns that it was told, and draws what changed once a frame.
import type { FromPage, ToPage } from '../chat/messages';
import type { Turn } from '../chat/turns';
import { Input, get } from './input';
import { actions, answer, turnElement } from './turn';

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void };

const api = acquireVsCodeApi();
const post = (message: FromPage) => api.postMessage(message);
const list = get('turns');
const input = new Input(post);
const turns: Turn[] = [];
const written = new Set<string>();
const WELCOME = 'Ask where something is, how it works, or what uses it. Answers cite their places; nothing leaves this machine unless your policy says so.';

window.addEventListener('message', (event: MessageEvent<ToPage>) => {
  const message = event.data;
  if (message.type === 'turns') {
    turns.splice(0, turns.length, ...message.turns);
    drawAll();
  } else if (message.type === 'turn') {
    put(message.turn);
  } else if (message.type === 'delta') {
    const turn = turns.find((each) => each.id === message.id);
    if (turn) {
      turn.text += message.text;
      later(turn.id);
    }
  } else if (message.type === 'selection') {
    input.show(message.label);
  } else if (message.type === 'mentions') {
    input.mentions(message.query, message.items);
  } else {
    input.prefill(message.text);
  }
});

function put(turn: Turn): void {
  const index = turns.findIndex((each) => each.id === turn.id);
  const last = index < 0 || index === turns.length - 1;
  if (index < 0) {
    turns.push(turn);
    // What is drawn stays, or a screen reader would read all of it again.
    list.querySelectorAll('.welcome, .again').forEach((gone) => gone.remove());
    list.append(turnElement(turn, last, post));
    list.scrollTop = list.scrollHeight;
  } else {
    const before = turns.splice(index, 1, turn)[0];
    keepingTheEnd(() => redraw(turn, last, before !== undefined && onlyRated(before, turn)));
  }
  showBusy();
}

function redraw(turn: Turn, last: boolean, rated: boolean): void {
  const article = document.getElementById(turn.id);
  const buttons = article?.querySelector('.actions');
  if (rated && buttons) {
    replace(buttons, actions(turn, last, post));
  } else if (article) {
    replace(article, turnElement(turn, last, post));
  }
}

function onlyRated({ thumb: _one, ...before }: Turn, { thumb: _other, ...now }: Turn): boolean {
  return JSON.stringify(before) === JSON.stringify(now);
}

/** The focus stays on the button that it was on, else comes to the new element; what was unfolded stays so. */
function replace(old: Element, made: HTMLElement): void {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const unfolded = [...old.querySelectorAll('details')].map((each) => each.open);
  old.replaceWith(made);
  made.querySelectorAll('details').forEach((each, index) => {
    each.open = unfolded[index] ?? false;
  });
  if (focused) {
    ([...made.querySelectorAll('button')].find((each) => each.textContent === focused.textContent) ?? made).focus();
  }
}

function drawAll(): void {
  const drawn = turns.map((turn, index) => turnElement(turn, index === turns.length - 1, post));
  if (!drawn.length) {
    const welcome = document.createElement('p');
    welcome.className = 'note welcome';
    welcome.textContent = WELCOME;
    drawn.push(welcome);
  }
  list.replaceChildren(...drawn);
  list.scrollTop = list.scrollHeight;
  showBusy();
}

function showBusy(): void {
  input.busy(turns.some((turn) => turn.state === 'writing' || turn.state === 'approval'));
}

/** Draw a draft once a frame, however many parts arrive. */
function later(id: string): void {
  if (written.size === 0) {
    requestAnimationFrame(() => {
      const ids = [...written];
      written.clear();
      keepingTheEnd(() => ids.forEach(drawDraft));
    });
  }
  written.add(id);
}

function drawDraft(id: string): void {
  const turn = turns.find((each) => each.id === id);
  if (turn) {
    document.getElementById(id)?.querySelector('.answer')?.replaceWith(answer(turn, post));
  }
}

/** Follow what is written, unless the reader has scrolled up. */
function keepingTheEnd(draw: () => void): void {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  draw();
  if (atEnd) {
    list.scrollTop = list.scrollHeight;
  }
}

post({ type: 'ready' });
