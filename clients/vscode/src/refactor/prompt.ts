// The inline prompt: an instruction for the selection, or for the line of the cursor.
import * as vscode from 'vscode';
import type { Service } from '../server/service';
import { settings } from '../settings';
import { carryOut } from './carry';

export async function refactorSelection(service: Service): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.uri.scheme !== 'file') {
    void vscode.window.showInformationMessage('Pointsman: open a file and select the code to change.');
    return;
  }
  const range = editor.selection.isEmpty ? await enclosing(editor) : editor.selection;
  const instruction = await instructionFor(`lines ${range.start.line + 1}–${range.end.line + 1}`);
  if (instruction) {
    const uri = editor.document.uri.toString();
    await carryOut(service, { uri, range: plain(range), instruction, target: settings.target() });
  }
}

/** Undefined when the user gives none. */
export async function instructionFor(what: string): Promise<string | undefined> {
  const instruction = await vscode.window.showInputBox({
    title: `Pointsman: change ${what}`,
    prompt: 'What should become of this code? You see the change before it is made.',
    placeHolder: 'add a docstring',
  });
  return instruction?.trim() ? instruction : undefined;
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
