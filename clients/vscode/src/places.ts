// Places that answers and hits name: resolved below the workspace's folders only, and opened at their lines.
import * as vscode from 'vscode';
import { isInside } from './paths';

export interface Place {
  path: string;
  start_line: number;
  end_line: number;
}

/** The file of a path relative to a folder; undefined when it would lie outside of them all, or is not there. */
export async function resolve(path: string): Promise<vscode.Uri | undefined> {
  if (!isInside(path)) {
    return undefined;
  }
  for (const folder of vscode.workspace.workspaceFolders ?? []) {
    const uri = vscode.Uri.joinPath(folder.uri, path);
    try {
      await vscode.workspace.fs.stat(uri);
      return uri;
    } catch {
      continue; // not in this folder
    }
  }
  return undefined;
}

export async function open(place: Place): Promise<void> {
  const uri = await resolve(place.path);
  if (!uri) {
    void vscode.window.showWarningMessage(`Pointsman: ${place.path} is not in this workspace any more.`);
    return;
  }
  const editor = await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.One, preview: true });
  const last = Math.min(place.end_line, editor.document.lineCount) - 1;
  const first = Math.min(place.start_line - 1, last);
  const range = new vscode.Range(first, 0, last, editor.document.lineAt(last).text.length);
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  const decoration = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('editor.rangeHighlightBackground'),
  });
  editor.setDecorations(decoration, [range]);
  setTimeout(() => decoration.dispose(), 4000);
}
