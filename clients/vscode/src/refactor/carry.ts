// A refactor outside of the chat: progress in a notification, the outgoing body in an editor, what came of it in words.
import * as vscode from 'vscode';
import type { Outgoing } from '../chat/turns';
import { receiptsOf } from '../protocol';
import type { Service } from '../server/service';
import { type Asked, refactor } from './run';

const SCHEME = 'pointsman-outgoing';
/** Bodies that are being asked about, by URI. */
const shown = new Map<string, string>();

export async function carryOut(service: Service, asked: Asked): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title: `Pointsman: ${asked.instruction}`, cancellable: true };
  const work = new vscode.CancellationTokenSource();
  let opened = () => {};
  const preview = new Promise<void>((resolve) => (opened = resolve));
  const running = refactor(service, asked, work.token, confirmed, opened);
  await vscode.window.withProgress(options, (_, token) => {
    token.onCancellationRequested(() => work.cancel());
    // Once the preview is open, it says the rest.
    return Promise.race([preview, running.then(() => undefined, () => undefined)]);
  });
  const result = await running;
  if (!result) {
    return;
  }
  const words = result.note || (result.edits.length ? '' : 'no change came of it');
  if (words) {
    void vscode.window.showInformationMessage(`Pointsman: ${words}.`.replace('..', '.'));
  }
  for (const { record_id, endpoint, body_bytes, usd } of receiptsOf(result)) {
    void vscode.window.showInformationMessage(
      `Pointsman sent ${body_bytes} bytes to ${endpoint}, $${usd.toFixed(4)}. Receipt ${record_id}.`,
    );
  }
}

/** Gives the text of outgoing bodies to the editors that show them: nobody can change one, and none is asked to be saved. */
export function registerOutgoing(): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
    provideTextDocumentContent: (uri) => shown.get(uri.toString()) ?? '',
  });
}

/** Show the exact body in an editor, and ask in a way that lets it be read to its end. The first choice sends nothing. */
export async function confirmed(outgoing: Outgoing): Promise<boolean> {
  const uri = vscode.Uri.from({ scheme: SCHEME, path: `/outgoing-${outgoing.sha256.slice(0, 8)}.pointsman-outgoing` });
  shown.set(uri.toString(), outgoing.body);
  try {
    await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
    const replaced = outgoing.marks.length ? `Replaced: ${outgoing.marks.join(', ')}` : 'Nothing in it was replaced';
    const send = { label: 'Send Exactly This', detail: replaced };
    const choices = [{ label: 'Do Not Send', detail: 'The text in the editor is all that would leave' }, send];
    const title = `Send this to ${outgoing.model} at ${outgoing.endpoint}?`;
    return (await vscode.window.showQuickPick(choices, { title, ignoreFocusOut: true, placeHolder: title })) === send;
  } finally {
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    await vscode.window.tabGroups.close(tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri.toString()));
    shown.delete(uri.toString());
  }
}
