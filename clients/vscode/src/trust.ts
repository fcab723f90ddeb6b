// VS Code's trust in a workspace is the user's word; the server is told, and told when it is taken back.
import * as vscode from 'vscode';
import { run } from './server/run';
import type { Service } from './server/service';
import { environment } from './settings';

const TOLD = 'trustTold';

/** Call when the server runs. With the trust feature switched off nobody was asked, so nothing is told. */
export async function tellTrust(service: Service, memory: vscode.Memento): Promise<void> {
  const asked = vscode.workspace.getConfiguration('security.workspace.trust').get('enabled', true);
  const told = memory.get(TOLD, false);
  if (vscode.workspace.isTrusted && asked && !told) {
    await service.trust();
    await memory.update(TOLD, true);
  } else if (!vscode.workspace.isTrusted && told) {
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      await run(service.command, ['policy', 'untrust', folder.uri.fsPath], { env: environment() });
    }
    await memory.update(TOLD, false);
  }
}
