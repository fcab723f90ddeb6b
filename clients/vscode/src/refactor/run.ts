// A refactor from instruction to edit: the server decides, shows what would leave when policy asks, and offers the edit.
// VS Code shows that edit in its refactor preview, for its annotation needs confirmation, and applies it as one step.
import * as vscode from 'vscode';
import { approved } from '../chat/approved';
import type { Outgoing } from '../chat/turns';
import type { Range, Refactoring } from '../protocol';
import type { Service } from '../server/service';

export interface Asked {
  uri: string;
  /** What the range was taken from; the document as it is, when undefined. */
  version?: number;
  /** The whole document, when undefined. */
  range?: Range;
  instruction: string;
  target: string;
  /** More files that may change, whole. */
  others?: string[];
  /** Write tests of the range, into the file where they belong. */
  tests?: boolean;
}

/** Undefined when the user would not have the body sent. `offered` is called when the preview opens. Throws the server's message. */
export async function refactor(
  service: Service,
  asked: Asked,
  token: vscode.CancellationToken,
  approve: (outgoing: Outgoing) => Promise<boolean>,
  offered: () => void,
): Promise<Refactoring | undefined> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(asked.uri));
  const params = {
    textDocument: { uri: asked.uri, version: asked.version ?? document.version },
    range: asked.range ?? { start: { line: 0, character: 0 }, end: { line: document.lineCount, character: 0 } },
    instruction: asked.instruction,
    target: asked.target,
    others: (asked.others ?? []).map((uri) => ({ textDocument: { uri } })),
    tests: asked.tests ?? false,
  };
  return approved((more) => service.refactor({ ...params, ...more }, token, offered), approve);
}
