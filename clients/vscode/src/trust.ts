// VS Code's trust in a workspace is the user's word; the server is told, and told when it is taken back.
import * as vscode from 'vscode';
import { run } from './server/run';
import type { Service } from './server/service';
import { environment, settings } from './settings';

const TOLD = 'trustToldOf';
const key = (folder: string) => JSON.stringify([settings.home(), folder]);
const openFolders = () => (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);

/** Call when the server runs. With the trust feature switched off nobody was asked, so nothing is told. */
export async function tellTrust(service: Service, memory: vscode.Memento): Promise<void> {
  const asked = vscode.workspace.getConfiguration('security.workspace.trust').get('enabled', true);
  const told = new Set(memory.get<string[]>(TOLD, []));
  const folders = openFolders();
  if (vscode.workspace.isTrusted && asked && folders.some((folder) => !told.has(key(folder)))) {
    await trust(service, memory, folders);
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

/** Ask the user, and trust again: the server's trust ends when a folder's `.pointsman` changes, VS Code's does not. */
export async function trustAgain(service: Service, memory: vscode.Memento): Promise<void> {
  const folders = openFolders();
  if (!vscode.workspace.isTrusted) {
    await vscode.commands.executeCommand('workbench.trust.manage');
  } else if (folders.length === 0) {
    throw new Error('no folder is open');
  } else {
    const detail =
      'What your policy allows may then leave this machine from here. The rules in .pointsman are read as they are now;' +
      ' they only take away, and a change of them ends the trust.';
    const question = `Trust ${folders.join(', ')}?`;
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Trust')) === 'Trust') {
      await trust(service, memory, folders);
      void vscode.window.showInformationMessage('Pointsman: the workspace is trusted.');
    }
  }
}

async function trust(service: Service, memory: vscode.Memento, folders: string[]): Promise<void> {
  await service.trust();
  await memory.update(TOLD, [...new Set([...memory.get<string[]>(TOLD, []), ...folders.map(key)])]);
}
