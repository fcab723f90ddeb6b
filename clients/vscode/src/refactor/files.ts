// One change of several files: those that are selected in the Explorer, or picked among the open ones.
import * as vscode from 'vscode';
import type { Service } from '../server/service';
import { settings } from '../settings';
import { carryOut } from './carry';
import { instructionFor } from './prompt';

/** `clicked` and `selected` are what the Explorer hands over; the command palette gives neither. */
export async function refactorFiles(service: Service, clicked?: vscode.Uri, selected?: vscode.Uri[]): Promise<void> {
  const chosen = selected?.length ? selected : clicked ? [clicked] : await picked();
  if (!chosen) {
    return;
  }
  const files = await filesAmong(chosen);
  const [main, ...others] = files;
  if (!main) {
    void vscode.window.showInformationMessage('Pointsman: choose files of this machine to change.');
    return;
  }
  const names = files.map((uri) => vscode.workspace.asRelativePath(uri));
  const instruction = await instructionFor(names.length > 3 ? `${names.length} files` : names.join(', '));
  if (instruction) {
    const asked = { uri: main.toString(), others: others.map((uri) => uri.toString()), instruction, target: settings.target() };
    await carryOut(service, asked);
  }
}

/** Undefined when the user leaves the list. */
async function picked(): Promise<vscode.Uri[] | undefined> {
  const inputs = vscode.window.tabGroups.all.flatMap((group) => group.tabs.map((tab) => tab.input));
  const open = inputs.flatMap((input) => (input instanceof vscode.TabInputText && input.uri.scheme === 'file' ? [input.uri] : []));
  const items = [...new Map(open.map((uri) => [uri.toString(), uri])).values()].map((uri) => ({
    label: vscode.workspace.asRelativePath(uri),
    uri,
    picked: true,
  }));
  if (!items.length) {
    return [];
  }
  const options = { canPickMany: true as const, title: 'Pointsman: change which of the open files?' };
  return (await vscode.window.showQuickPick(items, options))?.map((item) => item.uri);
}

/** Without folders and what is on no disk. */
async function filesAmong(uris: readonly vscode.Uri[]): Promise<vscode.Uri[]> {
  const kinds = await Promise.all(uris.map(async (uri) => (uri.scheme === 'file' ? (await vscode.workspace.fs.stat(uri)).type : 0)));
  return uris.filter((_, index) => ((kinds[index] ?? 0) & vscode.FileType.File) !== 0);
}
