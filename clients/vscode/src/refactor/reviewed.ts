// A code action whose request policy wants to be seen before it is sent. Resolving one cannot show a body, so the server
// refuses by rule; the action then becomes a command that carries the same request out with the user looking on.
import * as vscode from 'vscode';
import type { Range } from '../protocol';
import type { Service } from '../server/service';
import { settings } from '../settings';
import { detail } from '../told';
import { carryOut } from './carry';

/** The command; only actions carry it, so no menu has it. */
export const REVIEWED = 'pointsman.refactorReviewed';

/** What the server gave an action to be resolved by. */
export interface ActionData {
  textDocument: { uri: string; version?: number | null };
  range: Range;
  instruction: string;
  tests?: boolean;
}

/** Whether an error of the server says that the body has to be approved. */
export function wantsReview(error: unknown): boolean {
  return detail(error, 'rule') === 'review.outbound';
}

/** The action as one that asks the user first, when it is applied and not before. */
export function reviewed(action: vscode.CodeAction, data: ActionData): vscode.CodeAction {
  action.command = { title: action.title, command: REVIEWED, arguments: [data] };
  return action;
}

export function carryOutReviewed(service: Service, { textDocument, range, instruction, tests }: ActionData): Promise<void> {
  return carryOut(service, {
    uri: textDocument.uri,
    ...(typeof textDocument.version === 'number' ? { version: textDocument.version } : {}),
    range,
    instruction,
    target: settings.target(),
    tests: tests ?? false,
  });
}
