import type { CommitRequest } from '../../protocol/group.ts';

/**
 * The commits that this broker has received and not yet answered, by group. A tab commits in its last
 * turn what it has processed, and its death may be told a few milliseconds later: the member stays in
 * its group until those commits are stored, else they would be fenced, and the records read again.
 */
export class CommitsInProgress {
  readonly #byGroup = new Map<string, Set<Promise<unknown>>>();

  /** Notes that `working` stores these commits. */
  add(commits: readonly CommitRequest[], working: Promise<unknown>): void {
    for (const { member } of commits) this.#add(member.groupId, working);
  }

  /** Resolves when the group's commits that are in progress now have settled. */
  async settled(groupId: string): Promise<void> {
    const inProgress = this.#byGroup.get(groupId);
    if (inProgress !== undefined) await Promise.allSettled(inProgress);
  }

  #add(groupId: string, working: Promise<unknown>): void {
    const all = this.#byGroup.get(groupId) ?? new Set();
    this.#byGroup.set(groupId, all.add(working));
    const settled = (): void => {
      all.delete(working);
      if (all.size === 0 && this.#byGroup.get(groupId) === all) this.#byGroup.delete(groupId);
    };
    working.then(settled, settled);
  }
}
