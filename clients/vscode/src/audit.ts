// What left this machine since a moment, by the server's own log: a request that was stopped gets no receipt.
import { run } from './server/run';

export interface Sent {
  id: string;
  endpoint: string;
  body_bytes: number;
}

/** Empty when the log cannot be read. */
export async function sentSince(command: string, env: NodeJS.ProcessEnv, since: number): Promise<Sent[]> {
  const ran = command ? await run(command, ['audit', 'list', '-n', '20', '--json'], { env }) : undefined;
  return intents(ran?.stdout ?? '', since);
}

/** `audit list --json` → what was sent from then on, in milliseconds since 1970. */
export function intents(json: string, since: number): Sent[] {
  try {
    const records: (Sent & { kind: string; time: string })[] = JSON.parse(json).records;
    return records.filter((record) => record.kind === 'intent' && Date.parse(record.time) >= since);
  } catch {
    return [];
  }
}
