// The shapes of the server's own methods, as docs/ of the server give them. Lines are 1-based here, 0-based in ranges.

export interface Route {
  target: string;
  model: string;
  reason: string;
  endpoint?: string;
  rule?: string;
}

export interface Citation {
  n: number;
  path: string;
  start_line: number;
  end_line: number;
  symbol: string;
  sha: string;
  /** URI of what the path is below; turns of before have none. */
  root?: string;
}

export interface Answer {
  answer: string;
  citations: Citation[];
  abstained: boolean;
  route: Route;
  redactions?: number;
  marks?: string[];
  receipt?: Receipt | null;
  note?: string;
  /** What would leave, when policy wants it seen first: then there is no answer yet. */
  preview?: string;
  preview_sha256?: string;
}

export interface Hit {
  path: string;
  start_line: number;
  end_line: number;
  symbol: string;
  kind: string;
  language: string;
  text: string;
  root?: string;
}

export interface Receipt {
  record_id: string;
  endpoint: string;
  model: string;
  rule: string;
  spans: string[];
  redacted: string[];
  input_tokens: number;
  output_tokens: number;
  usd: number;
  body_bytes: number;
}

export interface Refactoring {
  route: Route;
  request_id: string;
  edits: { path: string; diff: string }[];
  diff: string;
  checks: { parses: boolean; in_scope: boolean; protected: string[] };
  redactions: number;
  marks: string[];
  receipt: Receipt | null;
  /** Of an answer that could not be used, before the one of `receipt`. */
  first_receipt: Receipt | null;
  applied: boolean;
  note: string;
  preview: string;
  preview_sha256: string;
}

/** All that was sent for it, in order. */
export function receiptsOf(result: Pick<Refactoring, 'receipt' | 'first_receipt'>): Receipt[] {
  return [result.first_receipt, result.receipt].filter((receipt) => receipt !== null);
}

export type StatusKind = 'Normal' | 'Warning' | 'Error' | 'Inactive';

export interface ServerStatus {
  kind: StatusKind;
  busy: boolean;
  message: string;
}

export interface Explanation {
  model: string;
  items: number;
  reason: string | null;
  timings_ms: Record<string, number>;
  stages: { stage: string; outcome: string }[];
  line: number;
  column: number;
}

interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface AskParams {
  question: string;
  textDocument?: { uri: string };
  range?: Range;
  history: { role: 'user' | 'assistant'; text: string }[];
  target?: string;
  /** Hash of the outgoing body that the user approved. */
  approvedSha256?: string;
}

export interface RefactorParams {
  textDocument: { uri: string; version?: number };
  range: Range;
  instruction: string;
  target: string;
  others: { textDocument: { uri: string } }[];
  tests: boolean;
  approvedSha256?: string;
  label?: string;
}
