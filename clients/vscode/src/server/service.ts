// One language client at a time: started, watched, restarted with patience, and asked our own methods.
import * as vscode from 'vscode';
import { CloseAction, CodeActionResolveRequest, ErrorAction, LanguageClient, ProgressType, State } from 'vscode-languageclient/node';
import type {
  Answer,
  AskParams,
  Explanation,
  Hit,
  RefactorParams,
  Refactoring,
  ServerStatus,
} from '../protocol';
import { environment, settings } from '../settings';
import { type ActionData, reviewed, wantsReview } from '../refactor/reviewed';
import { told } from '../told';
import { Crashes } from './crashes';
import type { Setup } from './setup';

export type Phase = 'stopped' | 'starting' | 'running' | 'failed' | 'missing';

export interface Ghosts {
  /** Whether suggestions are wanted in this document now. */
  wanted(document: vscode.TextDocument): boolean;
}

const SELECTOR = [{ scheme: 'file' }];
/** A request without a token must have this one: an undefined one would be sent as a second parameter. */
const NONE = new vscode.CancellationTokenSource().token;

export class Service implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private program = '';
  /** Counts starts and stops: what an older start still brings is dropped. */
  private turn = 0;
  private readonly crashes = new Crashes();
  private readonly phases = new vscode.EventEmitter<Phase>();
  private readonly statuses = new vscode.EventEmitter<ServerStatus>();
  /** Whom to tell of an offered edit, by its label. */
  private readonly offers = new Map<string, () => void>();
  private refactors = 0;
  phase: Phase = 'stopped';
  /** Why the phase is `failed`. */
  problem = '';
  readonly onPhase = this.phases.event;
  readonly onStatus = this.statuses.event;

  constructor(
    private readonly setup: Setup,
    private readonly ghosts: Ghosts,
    private readonly log: vscode.LogOutputChannel,
    private readonly trace: vscode.LogOutputChannel,
  ) {}

  /** Start unless it runs, and offer to make an environment where that is missing. Never throws. */
  async start(): Promise<void> {
    if (this.phase !== 'starting' && this.phase !== 'running') {
      await this.begin(false);
      if (await this.setup.agreed()) {
        await this.setUp();
      }
    }
  }

  /** Start with an environment made where one is missing or broken, as the user asked for. Never throws. */
  async setUp(): Promise<void> {
    if (this.phase === 'running' && this.setup.find().kind === 'make') {
      await this.stop(); // an older server
    }
    if (this.phase !== 'starting' && this.phase !== 'running') {
      await this.begin(true);
    }
  }

  private async begin(make: boolean): Promise<void> {
    const turn = ++this.turn;
    this.enter('starting');
    const began = Date.now();
    try {
      const command = await this.setup.command(make);
      if (turn !== this.turn) {
        return;
      }
      if (command === undefined) {
        this.enter('missing');
        return;
      }
      this.program = command;
      await this.launch(command);
      if (turn === this.turn) {
        this.enter('running');
        this.log.info(`ready after ${Date.now() - began} ms`);
      }
    } catch (error) {
      if (turn === this.turn) {
        this.fail(told(error));
      }
    }
  }

  async stop(): Promise<void> {
    this.turn++;
    const client = this.client;
    this.client = undefined;
    this.enter('stopped');
    if (client) {
      await client.dispose().catch((error: unknown) => this.log.warn(`stopping: ${String(error)}`));
    }
  }

  async restart(): Promise<void> {
    this.crashes.forget();
    await this.stop();
    await this.start();
  }

  dispose(): void {
    void this.stop();
    this.phases.dispose();
    this.statuses.dispose();
  }

  /** The server's program, for commands that speak no LSP; "" before one was found. */
  get command(): string {
    return this.program;
  }

  /** The same. Throws, with the remedy, before one was found. */
  known(): string {
    if (!this.program) {
      throw new Error('the server is not set up yet; run "Pointsman: Set Up the Server"');
    }
    return this.program;
  }

  /** The answer; `onDelta` gets the draft. Throws the server's message. */
  async ask(params: AskParams, token: vscode.CancellationToken, onDelta: (text: string) => void): Promise<Answer> {
    const client = this.running();
    const partialResultToken = `ask-${Math.random().toString(36).slice(2)}`;
    const type = new ProgressType<{ delta: string }>();
    const heard = client.onProgress(type, partialResultToken, (part) => onDelta(part.delta));
    try {
      const target = vscode.workspace.isTrusted ? {} : { target: 'local' };
      const asked = { ...here(), ...params, ...target, partialResultToken };
      const { root, ...answer } = await client.sendRequest<Answer & { root: string }>('pointsman/ask', asked, token);
      return { ...answer, citations: answer.citations.map((citation) => ({ ...citation, root })) };
    } finally {
      heard.dispose();
    }
  }

  async search(query: string, k: number, token: vscode.CancellationToken = NONE): Promise<Hit[]> {
    const asked = { ...here(), query, k };
    const { root, hits } = await this.running().sendRequest<{ root: string; hits: Hit[] }>('pointsman/search', asked, token);
    return hits.map((hit) => ({ ...hit, root }));
  }

  /** `offered` is called when the server offers an edit for it: that waits for the user from then on. */
  async refactor(params: RefactorParams, token: vscode.CancellationToken, offered: () => void): Promise<Refactoring> {
    const label = `Pointsman refactor ${++this.refactors}`;
    this.offers.set(label, offered);
    try {
      return await this.execute<Refactoring>('pointsman.refactor', [{ ...params, label }], token);
    } finally {
      this.offers.delete(label);
    }
  }

  explain(uri: string, position: { line: number; character: number }): Promise<Explanation | null> {
    return this.running().sendRequest('pointsman/explain', { textDocument: { uri }, position });
  }

  /** What the server would trust: the folders' repositories, and those inside of them that something is open of. */
  roots(): Promise<string[]> {
    return this.execute('pointsman.trustWorkspace', [{ preview: true }]);
  }

  /** Tell the server that the user trusts these of the roots. The roots that it trusts now. */
  trust(roots: readonly string[]): Promise<string[]> {
    return this.execute('pointsman.trustWorkspace', [{ roots }]);
  }

  private execute<T>(command: string, args: unknown[], token: vscode.CancellationToken = NONE): Promise<T> {
    return this.running().sendRequest<T>('workspace/executeCommand', { command, arguments: args }, token);
  }

  private running(): LanguageClient {
    if (!this.client || this.phase !== 'running') {
      throw new Error(this.problem || 'The Pointsman server is not running. The status bar starts it.');
    }
    return this.client;
  }

  private async launch(command: string): Promise<void> {
    const run = { command, args: ['serve'], options: { env: environment() } };
    const client: LanguageClient = new LanguageClient(
      'pointsman',
      'Pointsman',
      { run, debug: run },
      {
        documentSelector: SELECTOR,
        outputChannel: this.log,
        traceOutputChannel: this.trace,
        initializationOptions: { index: { automatic: settings.indexAutomatic() } },
        progressOnInitialization: true,
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => this.closed(client),
        },
        initializationFailedHandler: () => false,
        middleware: {
          provideInlineCompletionItems: (document, position, context, token, next) =>
            this.ghosts.wanted(document) ? next(document, position, context, token) : [],
          resolveCodeAction: (action, token) => resolved(client, action, token),
          workspace: {
            handleApplyEdit: (params, next) => {
              this.offers.get(params.label ?? '')?.();
              return next(params, NONE);
            },
          },
        },
      },
    );
    this.client = client;
    client.onNotification('pointsman/didChangeStatus', (status: ServerStatus) => this.statuses.fire(status));
    let started = false;
    client.onDidChangeState(({ newState }) => {
      if (client !== this.client || newState === State.Stopped) {
        return;
      }
      if (newState === State.Running || newState === State.Starting) {
        this.enter(newState === State.Running ? 'running' : 'starting');
      } else if (started) {
        this.client = undefined;
        this.fail('The server could not be started again. The log says why.');
      }
    });
    await client.start();
    started = true;
  }

  /** The server went without being asked to. */
  private closed(client: LanguageClient): { action: CloseAction; handled: boolean } {
    if (client !== this.client) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    if (this.crashes.again(Date.now())) {
      this.log.warn('the server ended unexpectedly and is started again');
      this.enter('starting');
      return { action: CloseAction.Restart, handled: true };
    }
    this.client = undefined;
    this.fail('The server ended five times within three minutes. The log says more; the status bar starts it again.');
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private fail(message: string): void {
    this.problem = message;
    this.log.error(message);
    this.enter('failed');
    void vscode.window.showErrorMessage(`Pointsman: ${message}`, 'Set Up', 'Show Log').then((choice) => {
      if (choice === 'Show Log') {
        this.log.show();
      } else if (choice === 'Set Up') {
        void vscode.commands.executeCommand('pointsman.setUpServer');
      }
    });
  }

  private enter(phase: Phase): void {
    if (phase !== 'failed') {
      this.problem = '';
    }
    this.phase = phase;
    void vscode.commands.executeCommand('setContext', 'pointsman.ready', phase === 'running');
    this.phases.fire(phase);
  }
}

/** The document at hand, which says which of the workspace's folders is meant. */
function here(): { textDocument?: { uri: string } } {
  const document = (vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0])?.document;
  return document && vscode.workspace.getWorkspaceFolder(document.uri) ? { textDocument: { uri: document.uri.toString() } } : {};
}

/** An action with its edit, made by whom the settings name. The client's own way would tell of a refusal by itself. */
async function resolved(client: LanguageClient, action: vscode.CodeAction, token: vscode.CancellationToken): Promise<vscode.CodeAction> {
  const plain = client.code2ProtocolConverter.asCodeActionSync(action);
  const data = plain.data as ActionData | undefined;
  if (!data) {
    return action;
  }
  try {
    const asked = { ...plain, data: { ...data, target: settings.target() } };
    return await client.protocol2CodeConverter.asCodeAction(await client.sendRequest(CodeActionResolveRequest.type, asked, token), token);
  } catch (error) {
    if (wantsReview(error)) {
      return reviewed(action, data);
    }
    if (!token.isCancellationRequested) {
      void vscode.window.showErrorMessage(`Pointsman: ${told(error)}`);
    }
    return action;
  }
}
