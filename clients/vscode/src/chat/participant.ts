// The same answers in VS Code's own chat, where it has one.
import * as vscode from 'vscode';
import { resolve } from '../places';
import type { Service } from '../server/service';
import { confirmed } from '../refactor/carry';
import { told } from '../told';
import { approved } from './approved';
import { literal } from './harmless';
import { type Out, reply } from './native';
import type { Scope } from './scope';

const ID = 'pointsman.participant';

/** Undefined where VS Code has no chat. */
export function registerParticipant(service: Service, scope: Scope): vscode.Disposable | undefined {
  if (typeof vscode.chat?.createChatParticipant !== 'function') {
    return undefined;
  }
  return vscode.chat.createChatParticipant(ID, async (request, past, stream, token) => {
    const earlier = past.history.filter((turn): turn is vscode.ChatRequestTurn => turn instanceof vscode.ChatRequestTurn);
    const asked = { command: request.command, prompt: request.prompt, earlier: earlier.map((turn) => turn.prompt) };
    const sources = {
      // The draft is not streamed here: what was shown cannot be taken back, and the answer may be shorter.
      ask: (params: Parameters<Service['ask']>[0]) =>
        approved((more) => service.ask({ ...params, ...more }, token, () => undefined), confirmed),
      search: (query: string, k: number) => service.search(query, k, token),
      about: (mentions: readonly string[]) => scope.of(mentions, true, false),
    };
    await reply(asked, sources, to(stream)).catch((error: unknown) => {
      throw new Error(told(error));
    });
    return {};
  });
}

function to(stream: vscode.ChatResponseStream): Out {
  return {
    progress: (text) => stream.progress(text),
    markdown: (text) => stream.markdown(text),
    plain: (text) => stream.markdown(literal(text)),
    async place({ path, root, start_line, end_line }) {
      const uri = await resolve({ path, ...(root ? { root } : {}) });
      if (uri) {
        const range = new vscode.Range(start_line - 1, 0, end_line - 1, 0);
        stream.anchor(new vscode.Location(uri, range), `${path}:${start_line}-${end_line}`);
      }
    },
  };
}
