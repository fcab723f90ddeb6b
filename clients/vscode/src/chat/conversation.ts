// A conversation: questions go to the server, what comes back becomes turns, and all is kept for the workspace.
import * as vscode from 'vscode';
import { sentSince } from '../audit';
import { refactor } from '../refactor/run';
import { type Hit, receiptsOf } from '../protocol';
import type { Service } from '../server/service';
import { environment, settings } from '../settings';
import { told } from '../told';
import { approved } from './approved';
import type { Scope } from './scope';
import { HITS, type Wanted, changes, instruction, parse, question } from './slash';
import { type Context, type Outgoing, type Turn, answered, begin, history, kept, restored } from './turns';

const TURNS = 'turns';
const NOTHING_SENT = 'Nothing was sent.';
const PREVIEW = 'The change is in the refactor preview: tick what you want of it, then apply.';

export type Change = { kind: 'all' } | { kind: 'turn'; turn: Turn } | { kind: 'delta'; id: string; text: string };

export class Conversation {
  private turns: Turn[];
  private running: vscode.CancellationTokenSource | undefined;
  private approval: { id: string; answer: (yes: boolean) => void } | undefined;
  private readonly changes = new vscode.EventEmitter<Change>();
  readonly onChange = this.changes.event;

  constructor(
    private readonly service: Service,
    private readonly scope: Scope,
    private readonly memory: vscode.Memento,
  ) {
    this.turns = restored(memory.get(TURNS));
  }

  all(): readonly Turn[] {
    return this.turns;
  }

  get(id: string): Turn | undefined {
    return this.turns.find((turn) => turn.id === id);
  }

  async ask(input: string, withSelection: boolean): Promise<void> {
    if (!input.trim()) {
      return;
    }
    const wanted = parse(input);
    await this.run(input, wanted, (found) => this.scope.of(found.mentions, withSelection, changes(found)));
  }

  /** Ask the last question again, about the same code. */
  async regenerate(): Promise<void> {
    const last = this.turns.at(-1);
    if (last) {
      this.stop();
      this.turns = this.turns.slice(0, -1);
      this.changes.fire({ kind: 'all' });
      await this.run(last.question, parse(last.question), async () => last.context);
    }
  }

  stop(): void {
    this.approval?.answer(false);
    this.running?.cancel();
  }

  clear(): void {
    this.stop();
    this.turns = [];
    this.changes.fire({ kind: 'all' });
    this.keep();
  }

  thumb(id: string, thumb: 'up' | 'down'): void {
    const turn = this.get(id);
    if (turn) {
      const { thumb: before, ...rest } = turn;
      this.put(before === thumb ? rest : { ...rest, thumb });
      this.keep();
    }
  }

  approve(id: string, yes: boolean): void {
    if (this.approval?.id === id) {
      this.approval.answer(yes);
    }
  }

  private async run(input: string, wanted: Wanted | { problem: string }, about: (wanted: Wanted) => Promise<Context | undefined>): Promise<void> {
    this.stop();
    const source = new vscode.CancellationTokenSource();
    this.running = source;
    const id = `t${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
    const began = Date.now();
    const before = history(this.turns);
    this.turns.push(begin(id, input));
    this.changes.fire({ kind: 'turn', turn: this.turn(id) });
    try {
      if ('problem' in wanted) {
        throw new Error(wanted.problem);
      }
      const context = await about(wanted);
      if (context) {
        this.put({ ...this.turn(id), context });
      }
      if (!source.token.isCancellationRequested) {
        await this.answer(id, wanted, context, before, source.token);
      }
    } catch (error) {
      const stopped = source.token.isCancellationRequested;
      const message = told(error);
      this.put({ ...this.turn(id), state: stopped ? 'stopped' : 'failed', ...(stopped ? {} : { error: message }) });
    } finally {
      if (this.turn(id).state === 'writing') {
        this.put({ ...this.turn(id), state: 'stopped' }); // before the server was asked
      }
      if (this.running === source) {
        this.running = undefined;
      }
      source.dispose();
      this.keep();
    }
    if (this.get(id)?.state === 'stopped') {
      await this.tellSent(id, began);
    }
  }

  /** A request that was stopped brings no receipt, though it may have been sent. */
  private async tellSent(id: string, since: number): Promise<void> {
    const sent = await sentSince(this.service.command, environment(), since);
    if (sent.length) {
      const lines = sent.map((one) => `Meanwhile ${one.body_bytes} bytes left for ${one.endpoint}: receipt ${one.id}.`);
      this.put({ ...this.turn(id), text: [this.turn(id).text, ...lines].join('\n\n').trim() });
      this.keep();
    }
  }

  private async answer(
    id: string,
    wanted: Wanted,
    context: Context | undefined,
    before: ReturnType<typeof history>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const change = instruction(wanted);
    if (wanted.command === 'search') {
      const hits = await this.service.search(wanted.text, HITS, token);
      this.put(found(this.turn(id), hits));
    } else if (wanted.command === 'tests') {
      await this.change(id, wanted.text, context, token, true);
    } else if (change !== undefined) {
      await this.change(id, change, context, token);
    } else {
      const asked = {
        question: question(wanted, context?.label),
        ...(context ? { textDocument: { uri: context.uri }, range: context.range } : {}),
        history: before,
      };
      const ask = (more: { approvedSha256?: string }) =>
        this.service.ask({ ...asked, ...more }, token, (text) => {
          this.put({ ...this.turn(id), text: this.turn(id).text + text }, { kind: 'delta', id, text });
        });
      const answer = await approved(ask, (waits) => this.asked(id, waits));
      this.put(answer ? answered(this.turn(id), answer) : { ...this.turn(id), state: 'stopped', text: NOTHING_SENT });
    }
  }

  private async change(id: string, text: string, context: Context | undefined, token: vscode.CancellationToken, tests = false): Promise<void> {
    if (!context) {
      throw new Error(`Select the code to ${tests ? 'test' : 'change'}, or name a file or symbol with @.`);
    }
    const { others, ...one } = context;
    const offered = () => {
      if (this.running?.token === token) {
        this.running = undefined; // from now on the preview decides, and what was sent is sent
      }
      this.put({ ...this.turn(id), text: PREVIEW });
    };
    const asked = { ...one, ...(others && !tests ? { others } : {}), instruction: text, target: settings.target(), tests };
    const result = await refactor(this.service, asked, token, (outgoing) => this.asked(id, outgoing), offered);
    const turn = this.turn(id);
    if (!result) {
      this.put({ ...turn, state: 'stopped', text: NOTHING_SENT });
      return;
    }
    const words = result.applied ? 'The change was applied.' : result.note || (result.edits.length ? 'The change was declined.' : 'No change came of it.');
    this.put({
      ...turn,
      state: 'done',
      text: words,
      ...(result.diff ? { diff: result.diff } : {}),
      route: result.route,
      receipts: receiptsOf(result),
    });
  }

  /** Show what would leave, and wait for the user's word. */
  private asked(id: string, outgoing: Outgoing): Promise<boolean> {
    return new Promise((resolve) => {
      this.approval = {
        id,
        answer: (yes) => {
          this.approval = undefined;
          const { outgoing: _, ...turn } = this.turn(id);
          this.put({ ...turn, state: 'writing' });
          resolve(yes);
        },
      };
      this.put({ ...this.turn(id), state: 'approval', outgoing });
    });
  }

  private turn(id: string): Turn {
    return this.get(id) ?? begin(id, ''); // cleared meanwhile: what comes late changes nothing
  }

  private put(turn: Turn, change: Change = { kind: 'turn', turn }): void {
    const index = this.turns.findIndex((each) => each.id === turn.id);
    if (index >= 0) {
      this.turns[index] = turn;
      this.changes.fire(change);
    }
  }

  private keep(): void {
    void this.memory.update(TURNS, kept(this.turns, settings.turnsKept()));
  }
}

function found(turn: Turn, hits: readonly Hit[]): Turn {
  const citations = hits.map((hit, index) => ({ n: index + 1, sha: '', ...hit }));
  const lines = citations.map((hit) => `${hit.n}. \`${hit.symbol || hit.path}\` (${hit.kind}) [${hit.n}]`);
  return { ...turn, state: 'done', text: lines.join('\n') || 'Nothing was found.', citations };
}
