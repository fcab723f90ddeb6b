// Places that answers and hits name: resolved below what the server says they are below, and opened at their lines.
import { createHash } from 'node:crypto';
import * as vscode from 'vscode';
import { isInside } from './paths';

export interface Place {
  path: string;
  start_line: number;
  end_line: number;
  /** URI of what the path is below; without one, of any folder of the workspace. */
  root?: string;
  /** Git's blob id of the file that the lines are of; "" when nobody knows. */
  sha?: string;
}

/** The file of a relative path; undefined when it would lie outside, or is not there. */
export async function resolve({ path, root }: Pick<Place, 'path' | 'root'>): Promise<vscode.Uri | undefined> {
  if (!isInside(path)) {
    return undefined;
  }
  const folders = root ? [vscode.Uri.parse(root)] : (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri);
  for (const folder of folders) {
    const uri = vscode.Uri.joinPath(folder, path);
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
  const uri = await resolve(place);
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
  if (place.sha && !(await isOf(place.sha, uri, editor.document.getText()))) {
    void vscode.window.showInformationMessage(`Pointsman: ${place.path} was changed since; the lines may have moved.`);
  }
}

/** Whether the blob is the file's, on the disk or as the editor has it. */
async function isOf(sha: string, uri: vscode.Uri, text: string): Promise<boolean> {
  return [await vscode.workspace.fs.readFile(uri), Buffer.from(text)].some((bytes) => blobId(bytes) === sha);
}

function blobId(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
