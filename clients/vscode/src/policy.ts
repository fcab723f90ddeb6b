// The user's policy file, opened; a first one is begun from comments alone, which grant nothing.
import * as path from 'node:path';
import * as vscode from 'vscode';
import { run } from './server/run';
import { environment } from './settings';

const BEGINNING = `# What may leave this machine. While this file grants no endpoint, nothing does.
# \`pointsman policy add-endpoint\` writes an entry; docs/policy.md has all keys.
version = 1
`;

export async function openPolicy(command: string): Promise<void> {
  const folder = await configFolder(command);
  if (!folder) {
    throw new Error('the config folder is not known yet; run Check the Installation');
  }
  const uri = vscode.Uri.file(path.join(folder, 'policy.toml'));
  try {
    await vscode.window.showTextDocument(uri);
  } catch {
    const document = await vscode.workspace.openTextDocument(uri.with({ scheme: 'untitled' }));
    const editor = await vscode.window.showTextDocument(document);
    if (document.getText() === '') {
      await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), BEGINNING));
    }
  }
}

async function configFolder(command: string): Promise<string | undefined> {
  const ran = await run(command, ['doctor', '--json'], { env: environment() });
  return folderOf(ran.stdout);
}

/** `doctor --json` → the config folder. */
export function folderOf(json: string): string | undefined {
  try {
    const findings: { check: string; detail: string }[] = JSON.parse(json).findings;
    const detail = findings.find((finding) => finding.check === 'config folder')?.detail;
    return detail?.replace(/ \(\d+\)$/, '');
  } catch {
    return undefined;
  }
}
