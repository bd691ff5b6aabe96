import { byMemberId } from './assignor.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Balanced first, then sticky, as Kafka's CooperativeStickyAssignor: nobody could have one more
 * partition for the sake of somebody who has two more; and little more is moved than that takes,
 * with equal subscriptions nothing more.
 *
 * The balance is that of an optimal semi-matching (Harvey, Ladner, Lovász and Tamir, 2006): as long
 * as a chain of moves leads from a member to one with two partitions less, follow the shortest. With
 * equal subscriptions a chain is one move. Among equals, a visible tab's member comes first.
 */
export function assignSticky(
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
): (string | null)[] {
  const hands = byMemberId(candidates).map(
    (candidate) => new MemberLoad(candidate, (i) => partitions[i]!.owner === candidate.memberId),
  );
  const byId = new Map(hands.map((hand) => [hand.memberId, hand]));
  const owners = partitions.map(({ topic, owner: holder }, i) => {
    const hand = holder === null ? undefined : byId.get(holder);
    if (hand === undefined || !hand.wants(topic)) return undefined;
    hand.take(topic, i);
    return hand;
  });
  const free = partitions
    .map(({ topic }, i) => ({ topic, i, takers: hands.filter((hand) => hand.wants(topic)) }))
    .filter(({ i, takers }) => owners[i] === undefined && takers.length > 0)
    .sort((a, b) => a.takers.length - b.takers.length); // those with a choice can wait
  for (const { topic, i, takers } of free) {
    const [lightest] = takers.sort(lightestFirst);
    lightest!.take(topic, i);
    owners[i] = lightest;
  }
  for (let chain = findChain(hands); chain !== undefined; chain = findChain(hands)) {
    for (const { from, to, topic } of chain) {
      const moved = from.give(topic);
      to.take(topic, moved);
      owners[moved] = to;
    }
  }
  return owners.map((hand) => hand?.memberId ?? null);
}

/** A member and the partitions that it is to have, by topic. */
class MemberLoad {
  readonly memberId: string;
  readonly hidden: boolean;
  readonly #candidate: MemberSubscription;
  /** Whether the member has a partition already. */
  readonly #has: (partition: number) => boolean;
  /** Those that it has already come first. */
  readonly #held = new Map<string, number[]>();
  #size = 0;

  constructor(candidate: MemberSubscription, has: (partition: number) => boolean) {
    this.#candidate = candidate;
    this.#has = has;
    this.memberId = candidate.memberId;
    this.hidden = candidate.hidden;
  }

  get size(): number {
    return this.#size;
  }

  /** What it can give up: first of topics of which it was to get something, and has it not yet. */
  get topics(): string[] {
    const has = (topic: string): number => Number(this.#has(this.#held.get(topic)!.at(-1)!));
    return [...this.#held.keys()].sort((a, b) => has(a) - has(b));
  }

  wants(topic: string): boolean {
    return this.#candidate.wants(topic);
  }

  take(topic: string, partition: number): void {
    const held = this.#held.get(topic);
    if (held === undefined) this.#held.set(topic, [partition]);
    else held.push(partition);
    this.#size++;
  }

  /** Gives up the last partition of `topic`. */
  give(topic: string): number {
    const held = this.#held.get(topic)!;
    const given = held.pop()!;
    if (held.length === 0) this.#held.delete(topic);
    this.#size--;
    return given;
  }
}

interface Move {
  readonly from: MemberLoad;
  readonly to: MemberLoad;
  readonly topic: string;
}

/** The moves, from one of the fullest hands that have some, to one with two partitions less. */
function findChain(hands: readonly MemberLoad[]): Move[] | undefined {
  const lightest = [...hands].sort(lightestFirst);
  const fullest = [...lightest].reverse();
  for (const size of new Set(fullest.map((hand) => hand.size))) {
    if (size - (lightest[0]?.size ?? size) < 2) return undefined;
    const chain = chainFrom(
      fullest.filter((hand) => hand.size === size),
      lightest,
    );
    if (chain !== undefined) return chain;
  }
  return undefined;
}

/** Breadth first from hands of one size, so that the first chain found is one of the shortest. */
function chainFrom(
  starts: readonly MemberLoad[],
  lightest: readonly MemberLoad[],
): Move[] | undefined {
  const { size } = starts[0]!;
  const cameBy = new Map<MemberLoad, Move | undefined>(starts.map((hand) => [hand, undefined]));
  for (const [from] of cameBy) {
    const { topics } = from;
    for (const to of lightest) {
      const topic = cameBy.has(to) ? undefined : topics.find((wanted) => to.wants(wanted));
      if (topic === undefined) continue;
      cameBy.set(to, { from, to, topic });
      if (size - to.size >= 2) return backFrom(to, cameBy);
    }
  }
  return undefined;
}

function backFrom(end: MemberLoad, cameBy: ReadonlyMap<MemberLoad, Move | undefined>): Move[] {
  const chain: Move[] = [];
  for (let move = cameBy.get(end); move !== undefined; move = cameBy.get(move.from)) {
    chain.unshift(move);
  }
  return chain;
}

/** Among equals the visible one; the sort is stable, so then by member id. */
function lightestFirst(a: MemberLoad, b: MemberLoad): number {
  return a.size - b.size || Number(a.hidden) - Number(b.hidden);
}
