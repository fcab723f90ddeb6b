// One conversation: its turns, and what of it is told to the server and kept. Pure.
import type { Answer, Citation, Range, Receipt, Route } from '../protocol';

export type TurnState = 'writing' | 'approval' | 'done' | 'stopped' | 'failed';

/** Code that a question is about. `label` is what the user sees. */
export interface Context {
  uri: string;
  range: Range;
  label: string;
  /** More files that were mentioned; a change may change them too. */
  others?: string[];
}

/** The exact text that would leave, shown before it does. */
export interface Outgoing {
  body: string;
  sha256: string;
  model: string;
  endpoint: string;
  redactions: number;
  /** Each placeholder, with the rule that put it there and how often it stands. */
  marks: string[];
}

export interface Turn {
  id: string;
  /** As the user typed it. */
  question: string;
  context?: Context;
  state: TurnState;
  /** Markdown: the draft while it is written, then the answer. */
  text: string;
  citations: Citation[];
  route?: Route;
  receipts?: Receipt[];
  /** What a refactor changed. Shown, and not kept: it may hold what should be in no second place. */
  diff?: string;
  outgoing?: Outgoing;
  error?: string;
  thumb?: 'up' | 'down';
}

export function begin(id: string, question: string): Turn {
  return { id, question, state: 'writing', text: '', citations: [] };
}

export function answered(turn: Turn, answer: Answer): Turn {
  const text = answer.note ? `${answer.answer}\n\n${answer.note}` : answer.answer;
  const receipts = answer.receipt ? { receipts: [answer.receipt] } : {};
  return { ...turn, state: 'done', text, citations: answer.citations, route: answer.route, ...receipts };
}

/** A result of the server's in which a body may wait for the user's word. What was sent shows none. */
export type Waiting = Pick<Answer, 'route' | 'redactions' | 'marks' | 'preview' | 'preview_sha256'>;

/** What policy wants seen before it leaves; undefined when there is nothing to approve. */
export function outgoing(result: Waiting): Outgoing | undefined {
  const { route, preview, preview_sha256: sha256 } = result;
  if (!preview || !sha256) {
    return undefined;
  }
  const marks = result.marks ?? [];
  return { body: preview, sha256, model: route.model, endpoint: route.endpoint ?? '', redactions: result.redactions ?? 0, marks };
}

const TOLD = 4;
const TOLD_CHARACTERS = 2000;

/** The last turns that were answered, for a follow-up question. */
export function history(turns: readonly Turn[]): { role: 'user' | 'assistant'; text: string }[] {
  return turns
    .filter((turn) => turn.state === 'done')
    .slice(-TOLD)
    .flatMap((turn) => [
      { role: 'user' as const, text: turn.question.slice(0, TOLD_CHARACTERS) },
      { role: 'assistant' as const, text: turn.text.slice(0, TOLD_CHARACTERS) },
    ]);
}

/** What is kept for the workspace: no bodies that were to be sent, no diffs, nothing half done. */
export function kept(turns: readonly Turn[], most: number): Turn[] {
  return turns
    .filter((turn) => turn.state !== 'writing' && turn.state !== 'approval')
    .slice(most > 0 ? -most : turns.length)
    .map(({ outgoing: _body, diff: _diff, ...turn }) => turn);
}

/** What was kept, read back: of another shape, it is forgotten. */
export function restored(value: unknown): Turn[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter(isTurn);
}

function isTurn(value: unknown): value is Turn {
  const turn = value as Partial<Turn> | null;
  return (
    typeof turn === 'object' &&
    turn !== null &&
    typeof turn.id === 'string' &&
    typeof turn.question === 'string' &&
    typeof turn.text === 'string' &&
    Array.isArray(turn.citations) &&
    ['done', 'stopped', 'failed'].includes(turn.state ?? '')
  );
}
