// A question whose request policy wants seen first: asked, shown, and asked again with the user's word. Pure.
import type { Answer } from '../protocol';
import { type Outgoing, outgoing } from './turns';

/** Undefined when the user would not have the body sent. */
export async function approved(
  ask: (more: { approvedSha256?: string }) => Promise<Answer>,
  approve: (waits: Outgoing) => Promise<boolean>,
): Promise<Answer | undefined> {
  const first = await ask({});
  const waits = first.answer ? undefined : outgoing(first);
  if (!waits) {
    return first;
  }
  return (await approve(waits)) ? ask({ approvedSha256: waits.sha256 }) : undefined;
}
