import type { InlineHost, WorkerKind } from '../connection/worker-host.ts';

/**
 * The identity of a group member within this page. Two handles of a log may have the same member
 * one after the other.
 */
export interface PageMember {
  readonly host: WorkerKind | InlineHost;
  readonly log: string;
  readonly group: string;
  readonly memberId: string;
}

interface Leaving extends PageMember {
  /** Resolves when the member has left. */
  readonly over: Promise<void>;
}

/** The members in this page that are closed and have not left their group yet. */
const leaving = new Set<Leaving>();

/** Registers a member that leaves: the next consumer with its name waits until `left` settles. */
export function isLeaving(member: PageMember, left: Promise<void>): void {
  const over = left
    .catch(() => {}) // an offset that was not committed comes again
    .then(() => void leaving.delete(entry));
  const entry: Leaving = { ...member, over };
  leaving.add(entry);
}

/** Resolves when every closed consumer that had the member's name has left. */
export async function haveLeft(member: PageMember): Promise<void> {
  const same = [...leaving].filter((other) => isSame(other, member));
  await Promise.all(same.map(({ over }) => over));
}

function isSame(a: PageMember, b: PageMember): boolean {
  return a.host === b.host && a.log === b.log && a.group === b.group && a.memberId === b.memberId;
}
