// The same answers in VS Code's own chat, where it has one.
import * as vscode from 'vscode';
import { resolve } from '../places';
import type { Service } from '../server/service';
import { harmless } from './harmless';
import type { Scope } from './scope';
import { parse, question } from './slash';

export function registerParticipant(service: Service, scope: Scope): vscode.Disposable | undefined {
  if (typeof vscode.chat?.createChatParticipant !== 'function') {
    return undefined;
  }
  return vscode.chat.createChatParticipant('pointsman.participant', async (request, past, stream, token) => {
    const wanted = parse(request.command ? `/${request.command} ${request.prompt}` : request.prompt);
    if ('problem' in wanted) {
      throw new Error(wanted.problem);
    }
    if (wanted.command === 'search') {
      for (const hit of await service.search(wanted.text, 8, token)) {
        await place(stream, hit);
        stream.markdown(new vscode.MarkdownString().appendText(` ${hit.symbol}\n\n`));
      }
      return {};
    }
    const context = await scope.of(wanted.mentions, true);
    stream.progress('Reading the repository');
    const asked = {
      question: question(wanted, context?.label),
      ...(context ? { textDocument: { uri: context.uri }, range: context.range } : {}),
      history: past.history
        .filter((turn): turn is vscode.ChatRequestTurn => turn instanceof vscode.ChatRequestTurn)
        .map((turn) => ({ role: 'user' as const, text: turn.prompt })),
    };
    // The draft is not streamed here: what was shown cannot be taken back, and the answer may be shorter.
    const answer = await service.ask(asked, token, () => undefined);
    stream.markdown(harmless(answer.answer));
    for (const citation of answer.citations) {
      stream.markdown(`\n\n\\[${citation.n}\\] `);
      await place(stream, citation);
    }
    stream.markdown(new vscode.MarkdownString().appendText(`\n\n${answer.route.model}: ${answer.route.reason}`));
    return {};
  });
}

async function place(stream: vscode.ChatResponseStream, at: { path: string; start_line: number; end_line: number }): Promise<void> {
  const uri = await resolve(at.path);
  if (uri) {
    stream.anchor(new vscode.Location(uri, new vscode.Range(at.start_line - 1, 0, at.end_line - 1, 0)), `${at.path}:${at.start_line}-${at.end_line}`);
  }
}
