// A code block of an answer beside the file that it would change: a diff to look at, then apply as one undo step.
import * as vscode from 'vscode';

const SCHEME = 'pointsman-proposal';

interface Proposal {
  target: vscode.Uri;
  version: number;
  text: string;
}

export class Proposals implements vscode.TextDocumentContentProvider {
  private readonly open = new Map<string, Proposal>();
  private count = 0;

  register(): vscode.Disposable {
    const closed = vscode.workspace.onDidCloseTextDocument((document) => this.open.delete(document.uri.toString()));
    return vscode.Disposable.from(vscode.workspace.registerTextDocumentContentProvider(SCHEME, this), closed);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.open.get(uri.toString())?.text ?? '';
  }

  /** The code in place of the selection, or at the cursor, of the editor that was active last. */
  async show(code: string): Promise<void> {
    const editor = target();
    if (!editor) {
      return;
    }
    const { document, selection } = editor;
    const text = document.getText();
    const made = text.slice(0, document.offsetAt(selection.start)) + code + text.slice(document.offsetAt(selection.end));
    const name = vscode.workspace.asRelativePath(document.uri, false);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: document.uri.path, query: String(++this.count) });
    this.open.set(uri.toString(), { target: document.uri, version: document.version, text: made });
    await vscode.commands.executeCommand('vscode.diff', document.uri, uri, `${name}: proposed change`);
  }

  async apply(uri: vscode.Uri | undefined): Promise<void> {
    const key = (uri ?? vscode.window.activeTextEditor?.document.uri)?.toString() ?? '';
    const proposal = this.open.get(key);
    if (!proposal) {
      return;
    }
    const document = await vscode.workspace.openTextDocument(proposal.target);
    if (document.version !== proposal.version) {
      void vscode.window.showWarningMessage('Pointsman: the file has changed since; open the diff again.');
      return;
    }
    const edit = new vscode.WorkspaceEdit();
    edit.replace(proposal.target, new vscode.Range(0, 0, document.lineCount, 0), proposal.text);
    if (await vscode.workspace.applyEdit(edit)) {
      await vscode.commands.executeCommand('workbench.action.closeActiveEditor');
    }
  }
}

export async function insert(code: string): Promise<void> {
  const editor = target();
  await editor?.edit((edit) => edit.replace(editor.selection, code));
}

function target(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (!editor || editor.document.uri.scheme === SCHEME) {
    void vscode.window.showInformationMessage('Pointsman: open the file that the code should go to.');
    return undefined;
  }
  return editor;
}
