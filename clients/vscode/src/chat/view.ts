// The chat's webview view: messages between its page and the conversation.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { open } from '../places';
import { told } from '../told';
import type { Change, Conversation } from './conversation';
import { type FromPage, type ToPage, fromPage } from './messages';
import { page } from './page';
import { type Proposals, insert } from './proposals';
import { type Scope, selection } from './scope';

export const VIEW = 'pointsman.chat';

export class ChatView implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private waiting: ToPage[] = [];
  private ready = false;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly conversation: Conversation,
    private readonly scope: Scope,
    private readonly proposals: Proposals,
  ) {}

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      vscode.window.registerWebviewViewProvider(VIEW, this, { webviewOptions: { retainContextWhenHidden: true } }),
      this.conversation.onChange((change) => this.tell(change)),
      vscode.window.onDidChangeTextEditorSelection(() => this.tellSelection()),
      vscode.window.onDidChangeActiveTextEditor(() => this.tellSelection()),
    );
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.ready = false;
    const root = vscode.Uri.joinPath(this.extension, 'dist', 'webview');
    view.webview.options = { enableScripts: true, enableForms: false, enableCommandUris: false, localResourceRoots: [root] };
    const local = (name: string) => view.webview.asWebviewUri(vscode.Uri.joinPath(root, name)).toString();
    view.webview.onDidReceiveMessage((value: unknown) => {
      const message = fromPage(value);
      if (message) {
        this.receive(message).catch((error: unknown) => void vscode.window.showErrorMessage(`Pointsman: ${told(error)}`));
      }
    });
    view.onDidDispose(() => {
      if (this.view === view) {
        this.view = undefined; // else another one was made meanwhile
      }
    });
    view.webview.html = page({
      nonce: randomBytes(16).toString('hex'),
      script: local('chat.js'),
      style: local('style.css'),
      source: view.webview.cspSource,
    });
  }

  /** Bring the view to the front, with a question begun. */
  async show(text = ''): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.post({ type: 'prefill', text });
  }

  private async receive(message: FromPage): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.ready = true;
        this.post({ type: 'turns', turns: [...this.conversation.all()] });
        this.tellSelection();
        this.waiting.splice(0).forEach((each) => this.post(each));
        return;
      case 'ask':
        return this.conversation.ask(message.text, message.withSelection);
      case 'stop':
        return this.conversation.stop();
      case 'regenerate':
        return this.conversation.regenerate();
      case 'clear':
        return this.conversation.clear();
      case 'thumb':
        return this.conversation.thumb(message.id, message.thumb);
      case 'approve':
        return this.conversation.approve(message.id, message.yes);
      case 'open': {
        const citation = this.conversation.get(message.id)?.citations.find((each) => each.n === message.n);
        return citation && open(citation);
      }
      case 'code':
        return this.code(message.action, message.text);
      case 'mention':
        return this.post({ type: 'mentions', query: message.query, items: await this.scope.complete(message.query) });
    }
  }

  private async code(action: 'copy' | 'insert' | 'diff', text: string): Promise<void> {
    if (action === 'copy') {
      await vscode.env.clipboard.writeText(text);
    } else {
      await (action === 'insert' ? insert(text) : this.proposals.show(text));
    }
  }

  private tell(change: Change): void {
    if (change.kind === 'all') {
      this.post({ type: 'turns', turns: [...this.conversation.all()] });
    } else {
      this.post(change.kind === 'turn' ? { type: 'turn', turn: change.turn } : { type: 'delta', id: change.id, text: change.text });
    }
  }

  private tellSelection(): void {
    this.post({ type: 'selection', label: selection()?.label ?? '' });
  }

  private post(message: ToPage): void {
    if (this.view && this.ready) {
      void this.view.webview.postMessage(message);
    } else if (message.type === 'prefill') {
      this.waiting = [message];
    }
  }
}
