// What the chat's page and the extension say to each other. The page names turns and numbers, never paths or commands.
import type { Turn } from './turns';

export interface Mention {
  label: string;
  detail: string;
}

export type ToPage =
  | { type: 'turns'; turns: Turn[] }
  | { type: 'turn'; turn: Turn }
  | { type: 'delta'; id: string; text: string }
  | { type: 'selection'; label: string }
  | { type: 'mentions'; query: string; items: Mention[] }
  | { type: 'prefill'; text: string };

export type FromPage =
  | { type: 'ready' }
  | { type: 'ask'; text: string; withSelection: boolean }
  | { type: 'stop' }
  | { type: 'regenerate' }
  | { type: 'clear' }
  | { type: 'thumb'; id: string; thumb: 'up' | 'down' }
  | { type: 'open'; id: string; n: number }
  | { type: 'approve'; id: string; yes: boolean }
  | { type: 'code'; action: 'copy' | 'insert' | 'diff'; text: string }
  | { type: 'mention'; query: string };

const STRINGS: Record<FromPage['type'], readonly string[]> = {
  ready: [],
  ask: ['text'],
  stop: [],
  regenerate: [],
  clear: [],
  thumb: ['id', 'thumb'],
  open: ['id'],
  approve: ['id'],
  code: ['action', 'text'],
  mention: ['query'],
};

/** A message of the page, or undefined when it is none. */
export function fromPage(value: unknown): FromPage | undefined {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const message = value as Record<string, unknown>;
  const type = message['type'];
  const strings = typeof type === 'string' && Object.hasOwn(STRINGS, type) ? STRINGS[type as FromPage['type']] : undefined;
  return strings?.every((name) => typeof message[name] === 'string') ? (value as FromPage) : undefined;
}
