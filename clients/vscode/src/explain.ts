// "Why this, why nothing": the stages of the last completion, as a page of text.
import * as vscode from 'vscode';
import type { Explanation } from './protocol';
import type { Service } from './server/service';

export async function showExplanation(service: Service): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) {
    void vscode.window.showInformationMessage('Pointsman: open a file first; suggestions are explained where they were made.');
    return;
  }
  const { line, character } = editor.selection.active;
  const found = await service.explain(editor.document.uri.toString(), { line, character });
  if (!found) {
    void vscode.window.showInformationMessage('Pointsman: nothing was suggested in this file yet.');
    return;
  }
  const document = await vscode.workspace.openTextDocument({ language: 'markdown', content: explanation(found) });
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true, preserveFocus: true });
}

export function explanation(found: Explanation): string {
  const times = Object.entries(found.timings_ms).map(([stage, ms]) => `| ${stage} | ${Math.round(ms)} ms |`);
  return [
    `# The last suggestion, line ${found.line + 1}`,
    '',
    found.items ? `${found.items} offered by ${found.model}.` : `Nothing was offered: ${found.reason ?? 'no reason was recorded'}.`,
    '',
    '| stage | outcome |',
    '|---|---|',
    ...found.stages.map((stage) => `| ${stage.stage} | ${stage.outcome.replaceAll('|', '\\|').replaceAll('\n', ' ')} |`),
    '',
    '| time | |',
    '|---|---|',
    ...times,
    '',
  ].join('\n');
}
