// "Check the Installation": what `pointsman doctor` finds, as a page of text.
import * as vscode from 'vscode';
import { run } from './server/run';
import { environment } from './settings';

export async function doctor(command: string): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title: 'Pointsman: checking the installation' };
  const ran = await vscode.window.withProgress(options, () => run(command, ['doctor'], { env: environment() }));
  const content = `$ ${command} doctor\n\n${[ran.stdout, ran.stderr].filter((part) => part.trim()).join('\n')}`;
  const document = await vscode.workspace.openTextDocument({ language: 'plaintext', content });
  await vscode.window.showTextDocument(document, { preview: true });
}
