// VS Code's trust in a workspace is the user's word; the server is told, and told when it is taken back.
import * as vscode from 'vscode';
import { run } from './server/run';
import type { Service } from './server/service';
import { environment, settings } from './settings';

const TOLD = 'trustToldOf';

/** Call when the server runs. With the trust feature switched off nobody was asked, so nothing is told. */
export async function tellTrust(service: Service, memory: vscode.Memento): Promise<void> {
  const asked = vscode.workspace.getConfiguration('security.workspace.trust').get('enabled', true);
  const told = new Set(memory.get<string[]>(TOLD, []));
  const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  const key = (folder: string) => JSON.stringify([settings.home(), folder]);
  if (vscode.workspace.isTrusted && asked && folders.some((folder) => !told.has(key(folder)))) {
    await service.trust();
    await memory.update(TOLD, [...told, ...folders.map(key)]);
  } else if (!vscode.workspace.isTrusted) {
    for (const folder of folders.filter((each) => told.has(key(each)))) {
      const ran = await run(service.command, ['policy', 'untrust', folder], { env: environment() });
      if (ran.code !== 0) {
        throw new Error(`${folder} is still trusted: ${ran.stderr.trim()}`);
      }
      told.delete(key(folder));
      await memory.update(TOLD, [...told]);
    }
  }
}
