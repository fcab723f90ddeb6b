// Which code a question is about: what it mentions, else the selection. And what a mention may complete to.
import * as vscode from 'vscode';
import { resolve } from '../places';
import type { Range } from '../protocol';
import type { Service } from '../server/service';
import type { Mention } from './messages';
import type { Context } from './turns';

const MOST = 8;
const OUTSIDE = '**/{node_modules,.git,.venv,__pycache__}/**';

export class Scope {
  constructor(private readonly service: Service) {}

  /**
   * The first mention that names something, else the selection when it is wanted. The document is opened for the server.
   * `strict`: one that names nothing is an error, for a change would fall on other code; in a question it may be a
   * decorator.
   */
  async of(mentions: readonly string[], withSelection: boolean, strict: boolean): Promise<Context | undefined> {
    let first: Context | undefined;
    const others: string[] = [];
    for (const name of mentions) {
      const file = await this.file(name);
      const found = file ?? (await this.symbol(name));
      if (!found && strict) {
        throw new Error(`No file and no symbol of this workspace is called ${name}.`);
      }
      if (file && first) {
        others.push(file.uri);
      }
      first ??= found;
    }
    if (!first) {
      return withSelection ? selection() : undefined;
    }
    return { ...first, ...(others.length ? { others } : {}) };
  }

  /** Files by name first, then symbols by the index. */
  async complete(query: string): Promise<Mention[]> {
    const safe = query.replaceAll(/[^\p{L}\p{N}_./-]/gu, '');
    const files = await vscode.workspace.findFiles(safe ? `**/*${safe}*` : '**/*', OUTSIDE, MOST);
    const named = files.map((file) => ({ label: vscode.workspace.asRelativePath(file, false), detail: 'file' }));
    const hits = safe.length > 1 ? await this.service.search(safe, MOST).catch(() => []) : [];
    const symbols = hits
      .filter((hit) => hit.symbol && hit.symbol.toLowerCase().includes(safe.toLowerCase()))
      .map((hit) => ({ label: hit.symbol, detail: `${hit.kind} in ${hit.path}` }));
    return [...named, ...symbols].slice(0, MOST);
  }

  private async file(path: string): Promise<Context | undefined> {
    const uri = await resolve({ path });
    if (!uri || (await vscode.workspace.fs.stat(uri)).type !== vscode.FileType.File) {
      return undefined;
    }
    const document = await vscode.workspace.openTextDocument(uri);
    return context(document, new vscode.Range(0, 0, document.lineCount, 0), path);
  }

  private async symbol(name: string): Promise<Context | undefined> {
    const hit = (await this.service.search(name, MOST).catch(() => [])).find((each) => each.symbol === name);
    const uri = hit && (await resolve(hit));
    if (!hit || !uri) {
      return undefined;
    }
    const document = await vscode.workspace.openTextDocument(uri);
    return context(document, new vscode.Range(hit.start_line - 1, 0, hit.end_line, 0), name);
  }
}

/** What is selected in the active editor; undefined when nothing is. */
export function selection(): Context | undefined {
  const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (!editor || editor.selection.isEmpty || editor.document.uri.scheme !== 'file') {
    return undefined;
  }
  const { start, end } = editor.selection;
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  const path = vscode.workspace.asRelativePath(editor.document.uri, false);
  return context(editor.document, editor.selection, `${path}:${start.line + 1}-${last}`);
}

function context(document: vscode.TextDocument, range: vscode.Range, label: string): Context {
  return { uri: document.uri.toString(), range: plain(document.validateRange(range)), label };
}

function plain({ start, end }: vscode.Range): Range {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
}
