import type { InlineHost, WorkerKind } from '../connection/worker-host.ts';

/**
 * The identity of a group member within this page. Two consumers of a log may have the same member
 * name one after the other.
 */
export interface PageMember {
  readonly host: WorkerKind | InlineHost;
  readonly log: string;
  readonly group: string;
  readonly memberId: string;
}

interface Leaving extends PageMember {
  /** Resolves when the member has left. */
  readonly hasLeft: Promise<void>;
}

/** The members in this page whose consumer is closed and which have not left their group yet. */
const leaving = new Set<Leaving>();

/** Registers a leaving member. The next consumer with its name waits until `left` settles. */
export function registerLeaving(member: PageMember, left: Promise<void>): void {
  const hasLeft = left
    .catch(() => {}) // records whose offset was not committed are read again
    .then(() => void leaving.delete(entry));
  const entry: Leaving = { ...member, hasLeft };
  leaving.add(entry);
}

/** Resolves when every closed consumer of the same member name has left. */
export async function whenLeft(member: PageMember): Promise<void> {
  const same = [...leaving].filter((other) => isSame(other, member));
  await Promise.all(same.map(({ hasLeft }) => hasLeft));
}

function isSame(a: PageMember, b: PageMember): boolean {
  return a.host === b.host && a.log === b.log && a.group === b.group && a.memberId === b.memberId;
}
