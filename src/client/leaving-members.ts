import type { InlineHost, WorkerKind } from './host.ts';

/** A member as one page tells it from others: two handles of a log may have it one after the other. */
export interface PageMember {
  readonly host: WorkerKind | InlineHost;
  readonly log: string;
  readonly group: string;
  readonly memberId: string;
}

interface Leaving extends PageMember {
  /** Resolves when it has left. */
  readonly over: Promise<void>;
}

/** Members of groups, in this page, that have been closed and have not left yet. */
const leaving = new Set<Leaving>();

/** The member leaves its group: whoever takes its name meanwhile waits until `left` settles. */
export function isLeaving(member: PageMember, left: Promise<void>): void {
  const over = left
    .catch(() => {}) // what could not be committed comes again
    .then(() => void leaving.delete(entry));
  const entry: Leaving = { ...member, over };
  leaving.add(entry);
}

/** Resolves when every consumer that had the member's name, and has been closed by now, has left. */
export async function haveLeft(member: PageMember): Promise<void> {
  const same = [...leaving].filter((other) => isSame(other, member));
  await Promise.all(same.map(({ over }) => over));
}

function isSame(a: PageMember, b: PageMember): boolean {
  return a.host === b.host && a.log === b.log && a.group === b.group && a.memberId === b.memberId;
}
