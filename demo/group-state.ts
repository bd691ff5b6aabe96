import type {
  GroupDescription,
  GroupMemberDescription,
  GroupPartitionDescription,
} from '../src/index.ts';
import { History } from './history.ts';
import { tabOf } from './member-name.ts';

/** A member of the group, and how much of it is its own. */
export interface Reader {
  readonly memberId: string;
  readonly tab: string;
  readonly visible: boolean;
  readonly partitions: number;
}

/** What is known of the group, in every tab: members or not. */
export class GroupState {
  readonly #lagHistory = new History();
  #description: GroupDescription | undefined;
  #places = new Map<string, GroupPartitionDescription>();
  #isSettled = false;

  get generation(): number {
    return this.#description?.generation ?? 0;
  }

  /** Those who joined, the oldest first. */
  get readers(): readonly Reader[] {
    const places = [...this.#places.values()];
    return this.#members.map(({ memberId, visible }) => ({
      memberId,
      tab: tabOf(memberId),
      visible,
      partitions: places.filter(({ owner }) => owner === memberId).length,
    }));
  }

  /** Records of all partitions that are still to be worked through. */
  get lag(): number {
    return [...this.#places.values()].reduce((sum, { lag }) => sum + lag, 0);
  }

  /**
   * Whether every partition has its intended reader, in this look and the one before: a look is a
   * moment old.
   */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  get lagHistory(): readonly number[] {
    return this.#lagHistory.values;
  }

  get partitions(): number {
    return this.#places.size;
  }

  /** What the group knows of a partition; `undefined`: nothing. */
  place(topic: string, partition: number): GroupPartitionDescription | undefined {
    return this.#places.get(placeName({ topic, partition }));
  }

  /** Takes what the broker tells, `undefined` where there is no group yet; returns what is new by it. */
  describe(description: GroupDescription | undefined): string {
    const before = this.#description;
    const membersBefore = this.#members;
    const placesBefore = this.#places;
    this.#description = description;
    const partitions = description?.partitions ?? [];
    this.#places = new Map(partitions.map((place) => [placeName(place), place]));
    this.#isSettled =
      before?.state === 'stable' &&
      description?.state === 'stable' &&
      before.generation === description.generation &&
      partitions.length > 0 &&
      partitions.every(({ owner, target }) => owner !== null && owner === target);
    if (before === undefined || before.generation === this.generation) return '';
    const moved = partitions.filter(
      (place) => place.owner !== null && place.owner !== placesBefore.get(placeName(place))?.owner,
    );
    return newsOf(membersBefore, this.#members, moved);
  }

  /** Forgets the group, as when the log was emptied. */
  clear(): void {
    this.#description = undefined;
    this.#places.clear();
    this.#isSettled = false;
    this.#lagHistory.clear();
  }

  step(now: number): void {
    this.#lagHistory.step(now, () => this.lag);
  }

  get #members(): readonly GroupMemberDescription[] {
    return this.#description?.members ?? [];
  }
}

/** Who came, who went, and who reads what now. */
function newsOf(
  before: readonly GroupMemberDescription[],
  after: readonly GroupMemberDescription[],
  moved: readonly GroupPartitionDescription[],
): string {
  const isIn = (members: readonly GroupMemberDescription[], memberId: string): boolean =>
    members.some((member) => member.memberId === memberId);
  const gone = before.filter(({ memberId }) => !isIn(after, memberId));
  const come = after.filter(({ memberId }) => !isIn(before, memberId));
  const taken = after.flatMap(({ memberId }) => {
    const numbers = moved.flatMap(({ owner, partition }) =>
      owner === memberId ? String(partition) : [],
    );
    if (numbers.length === 0) return [];
    const noun = numbers.length === 1 ? 'partition' : 'partitions';
    return [`${tabOf(memberId)} took ${noun} ${list.format(numbers)}`];
  });
  const sentences = [
    ...gone.map(({ memberId }) => `${tabOf(memberId)} is gone`),
    ...come.map(({ memberId }) => `${tabOf(memberId)} joined`),
    ...taken,
  ];
  return sentences.map((sentence) => `${sentence}.`).join(' ');
}

const list = new Intl.ListFormat('en');

function placeName({ topic, partition }: { readonly topic: string; readonly partition: number }) {
  return `${topic} ${partition}`;
}
