// The inline prompt: an instruction for the selection, or for the line of the cursor.
import * as vscode from 'vscode';
import type { Outgoing } from '../chat/turns';
import type { Service } from '../server/service';
import { settings } from '../settings';
import { refactor } from './run';

export async function refactorSelection(service: Service): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.uri.scheme !== 'file') {
    void vscode.window.showInformationMessage('Pointsman: open a file and select the code to change.');
    return;
  }
  const range = editor.selection.isEmpty ? await enclosing(editor) : editor.selection;
  const lines = `${range.start.line + 1}–${range.end.line + 1}`;
  const instruction = await vscode.window.showInputBox({
    title: `Pointsman: change lines ${lines}`,
    prompt: 'What should become of this code? You see the change before it is made.',
    placeHolder: 'add a docstring',
  });
  if (!instruction?.trim()) {
    return;
  }
  const asked = { uri: editor.document.uri.toString(), range: plain(range), instruction, target: settings.target() };
  const options = { location: vscode.ProgressLocation.Notification, title: `Pointsman: ${instruction}`, cancellable: true };
  const work = new vscode.CancellationTokenSource();
  const running = refactor(service, asked, work.token, approved);
  await vscode.window.withProgress(options, (_, token) => {
    token.onCancellationRequested(() => work.cancel());
    // Once the preview is open, it says the rest.
    return new Promise<void>((resolve) => {
      const heard = service.onOffer(resolve);
      const done = () => (heard.dispose(), resolve());
      running.then(done, done);
    });
  });
  const result = await running;
  if (!result) {
    return;
  }
  const words = result.note || (result.edits.length ? '' : 'no change came of it');
  if (words) {
    void vscode.window.showInformationMessage(`Pointsman: ${words}.`.replace('..', '.'));
  }
  if (result.receipt) {
    const { record_id, endpoint, body_bytes, usd } = result.receipt;
    void vscode.window.showInformationMessage(
      `Pointsman sent ${body_bytes} bytes to ${endpoint}, $${usd.toFixed(4)}. Receipt ${record_id}.`,
    );
  }
}

/** Show the exact body in an editor, and ask. */
async function approved(outgoing: Outgoing): Promise<boolean> {
  const document = await vscode.workspace.openTextDocument({ language: 'json', content: outgoing.body });
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
  const send = 'Send Exactly This';
  const detail = `${outgoing.redactions} values were replaced. The text beside this is all that leaves.`;
  const title = `Send this to ${outgoing.model} at ${outgoing.endpoint}?`;
  return (await vscode.window.showWarningMessage(title, { modal: true, detail }, send)) === send;
}

/** The innermost function or class around the cursor, else its line. */
async function enclosing(editor: vscode.TextEditor): Promise<vscode.Range> {
  const at = editor.selection.active;
  const command = 'vscode.executeDocumentSymbolProvider';
  let level = (await vscode.commands.executeCommand<vscode.DocumentSymbol[]>(command, editor.document.uri)) ?? [];
  let found: vscode.Range | undefined;
  for (let next = level.find((each) => each.range?.contains(at)); next; next = level.find((each) => each.range?.contains(at))) {
    found = next.range;
    level = next.children;
  }
  return found ?? editor.document.lineAt(at.line).range;
}

function plain({ start, end }: vscode.Range) {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
}
