/** Members of groups, in this page, that have been closed and have not left yet. */
const leaving = new Map<string, Set<Promise<void>>>();

/** A member as one page tells it from others: two handles of a log may have it one after the other. */
export interface PageMember {
  readonly log: string;
  readonly group: string;
  readonly memberId: string;
}

/** The member leaves its group: whoever takes its name meanwhile waits until `left` settles. */
export function isLeaving(member: PageMember, left: Promise<void>): void {
  const key = keyOf(member);
  const all = leaving.get(key) ?? new Set();
  const over = left
    .catch(() => {}) // what could not be committed comes again
    .then(() => {
      all.delete(over);
      if (all.size === 0) leaving.delete(key);
    });
  leaving.set(key, all.add(over));
}

/** Resolves when every consumer that had the member's name, and has been closed by now, has left. */
export async function haveLeft(member: PageMember): Promise<void> {
  const all = leaving.get(keyOf(member));
  if (all !== undefined) await Promise.all(all);
}

function keyOf({ log, group, memberId }: PageMember): string {
  return `${log}/${group}/${memberId}`;
}
