// VS Code's trust in a workspace is the user's word; the server is told, and told when it is taken back.
import * as vscode from 'vscode';
import { within } from './paths';
import { run } from './server/run';
import type { Service } from './server/service';
import { environment, settings } from './settings';

/** Folders that VS Code's trust was told of, and roots that the server trusts by that, each with the server's home. */
const TOLD = 'trustToldOf';
const GIVEN = 'trustGiven';
const key = (folder: string) => JSON.stringify([settings.home(), folder]);
const openFolders = () => (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);

let turn: Promise<unknown> = Promise.resolve();

/** One after the other: what is given while something is taken back would be lost. */
function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}

/** Call when the server runs. With the trust feature switched off nobody was asked, so nothing is told. */
export function tellTrust(service: Service, memory: vscode.Memento): Promise<void> {
  return inTurn(() => tell(service, memory));
}

async function tell(service: Service, memory: vscode.Memento): Promise<void> {
  const asked = vscode.workspace.getConfiguration('security.workspace.trust').get('enabled', true);
  const told = memory.get<string[]>(TOLD, []);
  const folders = openFolders();
  if (!vscode.workspace.isTrusted) {
    await takeBack(service, memory);
  } else if (asked && folders.some((folder) => !told.includes(key(folder)))) {
    // VS Code names the folders. A repository that they are a part of is more, and waits for `trustAgain`.
    await trust(service, memory, within(folders, await service.roots()));
  }
}

/** Ask the user, and trust again: the server's trust ends when a folder's `.pointsman` changes, VS Code's does not. */
export async function trustAgain(service: Service, memory: vscode.Memento): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    await vscode.commands.executeCommand('workbench.trust.manage');
  } else if (openFolders().length === 0) {
    throw new Error('no folder is open');
  } else {
    const roots = await service.roots();
    const detail =
      'What your policy allows may then leave this machine from here. The rules in .pointsman are read as they are now;' +
      ' they only take away, and a change of them ends the trust.';
    const question = `Trust ${roots.join(', ')}?`;
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Trust')) === 'Trust') {
      await inTurn(() => trust(service, memory, roots));
      void vscode.window.showInformationMessage('Pointsman: the workspace is trusted.');
    }
  }
}

async function trust(service: Service, memory: vscode.Memento, roots: readonly string[]): Promise<void> {
  const given = await service.trust(roots);
  await memory.update(GIVEN, [...new Set([...memory.get<string[]>(GIVEN, []), ...given.map(key)])]);
  await memory.update(TOLD, [...new Set([...memory.get<string[]>(TOLD, []), ...openFolders().map(key)])]);
}

/** All that was given by this workspace, and nothing else. What cannot be taken back is tried again at the next start. */
async function takeBack(service: Service, memory: vscode.Memento): Promise<void> {
  const problems: string[] = [];
  const kept: string[] = [];
  const folders = openFolders().map(key);
  const told = memory.get<string[]>(TOLD, []).filter((each) => folders.includes(each));
  for (const each of memory.get<string[]>(GIVEN) ?? told) { // a version that kept no roots gave those of the folders
    const [home, root] = JSON.parse(each) as [string, string];
    const ours = home === settings.home();
    const ran = ours ? await run(service.command, ['policy', 'untrust', root], { env: environment() }) : undefined;
    if (ran && ran.code !== 0) {
      problems.push(`${root} is still trusted: ${ran.stderr.trim()}`);
    }
    if (ran?.code !== 0) {
      kept.push(each);
    }
  }
  await memory.update(GIVEN, kept);
  await memory.update(TOLD, memory.get<string[]>(TOLD, []).filter((each) => !folders.includes(each)));
  if (problems.length) {
    throw new Error(problems.join('; '));
  }
}
