// A request that policy wants seen first: asked, shown, and asked again with the user's word. Pure.
import { type Outgoing, type Waiting, outgoing } from './turns';

/** Undefined when the user would not have the body sent. */
export async function approved<Result extends Waiting>(
  ask: (more: { approvedSha256?: string }) => Promise<Result>,
  approve: (waits: Outgoing) => Promise<boolean>,
): Promise<Result | undefined> {
  const first = await ask({});
  const waits = outgoing(first);
  if (!waits) {
    return first;
  }
  return (await approve(waits)) ? ask({ approvedSha256: waits.sha256 }) : undefined;
}
