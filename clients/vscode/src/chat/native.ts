// A question of VS Code's own chat, answered as the panel answers it. Knows no VS Code: what it shows goes to an `Out`.
import type { Answer, AskParams, Hit } from '../protocol';
import { harmless } from './harmless';
import { HITS, changes, parse, question } from './slash';
import type { Context } from './turns';

export interface Asked {
  /** Without the slash; undefined for a plain question. */
  command: string | undefined;
  prompt: string;
  /** What the user asked before. */
  earlier: readonly string[];
}

export interface Sources {
  /** Undefined when the user would not have sent what policy wanted seen first. */
  ask(params: AskParams): Promise<Answer | undefined>;
  search(query: string, k: number): Promise<Hit[]>;
  /** The code that a question is about: what it mentions, else the selection. */
  about(mentions: readonly string[]): Promise<Context | undefined>;
}

export interface Out {
  progress(text: string): void;
  /** Markdown in which nothing can be clicked. */
  markdown(text: string): void;
  plain(text: string): void;
  place(at: { path: string; root?: string; start_line: number; end_line: number }): Promise<void>;
}

/** Throws what is wrong with the question, or the server's message. */
export async function reply(asked: Asked, sources: Sources, out: Out): Promise<void> {
  const wanted = parse(asked.command ? `/${asked.command} ${asked.prompt}` : asked.prompt);
  if ('problem' in wanted) {
    throw new Error(wanted.problem);
  }
  if (wanted.command === 'search') {
    for (const hit of await sources.search(wanted.text, HITS)) {
      await out.place(hit);
      out.plain(` ${hit.symbol}\n\n`);
    }
    return;
  }
  if (changes(wanted)) {
    out.plain(`Code is changed from the panel: run "Pointsman: Ask About the Code" and type /${wanted.command} there.`);
    return;
  }
  const context = await sources.about(wanted.mentions);
  out.progress('Reading the repository');
  const answer = await sources.ask({
    question: question(wanted, context?.label),
    ...(context ? { textDocument: { uri: context.uri }, range: context.range } : {}),
    history: asked.earlier.map((text) => ({ role: 'user' as const, text })),
  });
  if (!answer) {
    out.plain('Nothing was sent.');
    return;
  }
  out.markdown(harmless(answer.answer));
  for (const citation of answer.citations) {
    out.markdown(`\n\n\\[${citation.n}\\] `);
    await out.place(citation);
  }
  out.plain(`\n\n${answer.route.model || 'No model'}: ${answer.route.reason}`);
  if (answer.note) {
    out.plain(`\n\n${answer.note}`);
  }
  if (answer.receipt) {
    const { body_bytes, endpoint, record_id } = answer.receipt;
    out.plain(`\n\n${body_bytes} bytes left for ${endpoint}. Receipt ${record_id}.`);
  }
}
