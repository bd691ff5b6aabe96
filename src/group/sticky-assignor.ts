import { byMemberId } from './candidates.ts';
import type { Assignable, Candidate } from './candidates.ts';

/**
 * Balanced first, then sticky, as Kafka's CooperativeStickyAssignor: nobody could have one more
 * partition for the sake of somebody who has two more, and only what that takes is moved.
 *
 * The balance is that of an optimal semi-matching (Harvey, Ladner, Lovász and Tamir, 2006): as long
 * as a chain of moves leads from a member to one with two partitions less, follow the shortest. With
 * equal subscriptions a chain is one move. Among equals, a visible tab's member comes first.
 */
export function assignSticky(
  candidates: readonly Candidate[],
  partitions: readonly Assignable[],
): (string | null)[] {
  const hands = byMemberId(candidates).map((candidate) => new Hand(candidate));
  const byId = new Map(hands.map((hand) => [hand.memberId, hand]));
  const owners = partitions.map(({ topic, holder }, i) => {
    const hand = holder === null ? undefined : byId.get(holder);
    if (hand === undefined || !hand.wants(topic)) return undefined;
    hand.take(topic, i);
    return hand;
  });
  partitions.forEach(({ topic }, i) => {
    if (owners[i] !== undefined) return;
    owners[i] = hands.filter((hand) => hand.wants(topic)).sort(lightestFirst)[0];
    owners[i]?.take(topic, i);
  });
  for (let chain = findChain(hands); chain !== undefined; chain = findChain(hands)) {
    for (const { from, to, topic } of chain) {
      const moved = from.give(topic, (i) => partitions[i]!.holder !== from.memberId);
      to.take(topic, moved);
      owners[moved] = to;
    }
  }
  return owners.map((hand) => hand?.memberId ?? null);
}

/** A member and the partitions that it is to have, by topic. */
class Hand {
  readonly memberId: string;
  readonly hidden: boolean;
  readonly #candidate: Candidate;
  readonly #held = new Map<string, number[]>();
  #size = 0;

  constructor(candidate: Candidate) {
    this.#candidate = candidate;
    this.memberId = candidate.memberId;
    this.hidden = candidate.hidden;
  }

  get size(): number {
    return this.#size;
  }

  get topics(): string[] {
    return [...this.#held.keys()];
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

  /** Gives up a partition of `topic`: one that it does not have yet, else the last. */
  give(topic: string, isFresh: (partition: number) => boolean): number {
    const held = this.#held.get(topic)!;
    const [given] = held.splice(held.findLastIndex(isFresh), 1);
    if (held.length === 0) this.#held.delete(topic);
    this.#size--;
    return given!;
  }
}

interface Move {
  readonly from: Hand;
  readonly to: Hand;
  readonly topic: string;
}

/** The moves, from the fullest hand that has some, to one with two partitions less. */
function findChain(hands: readonly Hand[]): Move[] | undefined {
  const lightest = [...hands].sort(lightestFirst);
  for (const from of [...lightest].reverse()) {
    const chain = chainFrom(from, lightest);
    if (chain !== undefined) return chain;
  }
  return undefined;
}

/** Breadth first, so that the first chain found is one of the shortest. */
function chainFrom(start: Hand, lightest: readonly Hand[]): Move[] | undefined {
  if (start.size - lightest[0]!.size < 2) return undefined;
  const cameBy = new Map<Hand, Move | undefined>([[start, undefined]]);
  for (const [from] of cameBy) {
    for (const topic of from.topics) {
      for (const to of lightest) {
        if (cameBy.has(to) || !to.wants(topic)) continue;
        cameBy.set(to, { from, to, topic });
        if (start.size - to.size >= 2) return backFrom(to, cameBy);
      }
    }
  }
  return undefined;
}

function backFrom(end: Hand, cameBy: ReadonlyMap<Hand, Move | undefined>): Move[] {
  const chain: Move[] = [];
  for (let move = cameBy.get(end); move !== undefined; move = cameBy.get(move.from)) {
    chain.unshift(move);
  }
  return chain;
}

/** Among equals the visible one; the sort is stable, so then by member id. */
function lightestFirst(a: Hand, b: Hand): number {
  return a.size - b.size || Number(a.hidden) - Number(b.hidden);
}
