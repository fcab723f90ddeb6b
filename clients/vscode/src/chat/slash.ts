// What the user typed, taken apart: a slash command, its words, and mentions. Pure.

export type Command = 'ask' | 'explain' | 'fix' | 'tests' | 'docs' | 'refactor' | 'search';

export interface Wanted {
  command: Command;
  /** Without the slash command; mentions stand as the words after `@`. */
  text: string;
  /** What stood behind each `@`, without quotation marks. */
  mentions: string[];
}

const COMMANDS: readonly Command[] = ['explain', 'fix', 'tests', 'docs', 'refactor', 'search'];
const MENTION = /(^|\s)@(?:"([^"\n]+)"|([\p{L}\p{N}_./-]*[\p{L}\p{N}_]))/gu;

/** What completes to a mention of this name. */
export function mention(name: string): string {
  return `@${name}`.replace(MENTION, '') === '' ? `@${name}` : `@"${name}"`;
}

export function parse(input: string): Wanted | { problem: string } {
  const trimmed = input.trim();
  const slash = /^\/(\w*)(?:\s+([\s\S]*))?$/.exec(trimmed); // a path is no command
  const name = slash?.[1] ?? 'ask';
  if (slash && !COMMANDS.includes(name as Command)) {
    return { problem: `There is no /${name}. There are ${COMMANDS.map((each) => `/${each}`).join(', ')}.` };
  }
  const rest = (slash ? (slash[2] ?? '') : trimmed).trim();
  if (name === 'search' && !rest) {
    return { problem: 'Say what to look for: /search WORDS.' };
  }
  const mentions = [...rest.matchAll(MENTION)].map((found) => found[2] ?? found[3] ?? '');
  return { command: name as Command, text: rest.replace(MENTION, '$1$2$3'), mentions };
}

/** How many places /search shows. */
export const HITS = 8;

/** The question behind /explain. */
export function question(wanted: Wanted, label: string | undefined): string {
  if (wanted.command !== 'explain') {
    return wanted.text;
  }
  return wanted.text ? `Explain ${wanted.text}` : `What does this code do, and how?${label ? ` (${label})` : ''}`;
}

const INSTRUCTIONS: Partial<Record<Command, string>> = {
  fix: 'Fix the fault in this code',
  docs: 'Add documentation to this code',
  refactor: 'Simplify this code without changing what it does',
};

/** Whether code is to be changed or written. */
export function changes(wanted: Wanted): boolean {
  return wanted.command === 'tests' || instruction(wanted) !== undefined;
}

/** The instruction of a command that changes code; undefined for one that does not. */
export function instruction(wanted: Wanted): string | undefined {
  const standard = INSTRUCTIONS[wanted.command];
  if (standard === undefined || wanted.command === 'refactor') {
    return standard && (wanted.text || standard);
  }
  return wanted.text ? `${standard}: ${wanted.text}` : standard;
}
