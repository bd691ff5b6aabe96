import { byMemberId } from './assignor.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Balanced first, then sticky, as Kafka's CooperativeStickyAssignor. Balanced: no member can take a
 * partition from a member that has two more. Sticky: the balance is reached with few moves, and
 * with equal subscriptions with the fewest.
 *
 * The balance is an optimal semi-matching (Harvey, Ladner, Lovász and Tamir, 2006): while a chain
 * of moves leads from a member to a member with two partitions less, apply the shortest such chain.
 * With equal subscriptions a chain is one move. Of equal loads, that of a visible tab comes first.
 */
export function assignSticky(
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
): (string | null)[] {
  const loads = byMemberId(candidates).map(
    (candidate) => new MemberLoad(candidate, (i) => partitions[i]!.owner === candidate.memberId),
  );
  const byId = new Map(loads.map((load) => [load.memberId, load]));
  const owners = partitions.map(({ topic, owner }, i) => {
    const load = owner === null ? undefined : byId.get(owner);
    if (load === undefined || !load.wants(topic)) return undefined;
    load.take(topic, i);
    return load;
  });
  const free = partitions
    .map(({ topic }, i) => ({ topic, i, takers: loads.filter((load) => load.wants(topic)) }))
    .filter(({ i, takers }) => owners[i] === undefined && takers.length > 0)
    .sort((a, b) => a.takers.length - b.takers.length); // the fewest subscribers first
  for (const { topic, i, takers } of free) {
    const [lightest] = takers.sort(lightestFirst);
    lightest!.take(topic, i);
    owners[i] = lightest;
  }
  for (let chain = findChain(loads); chain !== undefined; chain = findChain(loads)) {
    for (const { from, to, topic } of chain) {
      const moved = from.give(topic);
      to.take(topic, moved);
      owners[moved] = to;
    }
  }
  return owners.map((load) => load?.memberId ?? null);
}

/** A member with the partitions assigned to it so far, by topic. */
class MemberLoad {
  readonly memberId: string;
  readonly hidden: boolean;
  readonly #candidate: MemberSubscription;
  /** Whether the member owned the partition before this assignment. */
  readonly #owned: (partition: number) => boolean;
  /** The assigned partitions by topic; those that the member owned before come first. */
  readonly #assigned = new Map<string, number[]>();
  #size = 0;

  constructor(candidate: MemberSubscription, owned: (partition: number) => boolean) {
    this.#candidate = candidate;
    this.#owned = owned;
    this.memberId = candidate.memberId;
    this.hidden = candidate.hidden;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * The topics of the assigned partitions. Topics whose last partition is new to the member come
   * first, because to give up that partition costs no move.
   */
  get topics(): string[] {
    const lastIsOwned = (topic: string): number =>
      Number(this.#owned(this.#assigned.get(topic)!.at(-1)!));
    return [...this.#assigned.keys()].sort((a, b) => lastIsOwned(a) - lastIsOwned(b));
  }

  wants(topic: string): boolean {
    return this.#candidate.wants(topic);
  }

  take(topic: string, partition: number): void {
    const assigned = this.#assigned.get(topic);
    if (assigned === undefined) this.#assigned.set(topic, [partition]);
    else assigned.push(partition);
    this.#size++;
  }

  /** Gives up the last partition of `topic`. */
  give(topic: string): number {
    const assigned = this.#assigned.get(topic)!;
    const given = assigned.pop()!;
    if (assigned.length === 0) this.#assigned.delete(topic);
    this.#size--;
    return given;
  }
}

interface Move {
  readonly from: MemberLoad;
  readonly to: MemberLoad;
  readonly topic: string;
}

/**
 * The moves from a load to another with two partitions less, as short a chain as there is; from the
 * fullest load that has such a chain.
 */
function findChain(loads: readonly MemberLoad[]): Move[] | undefined {
  const lightest = [...loads].sort(lightestFirst);
  const fullest = [...lightest].reverse();
  for (const size of new Set(fullest.map((load) => load.size))) {
    if (size - (lightest[0]?.size ?? size) < 2) return undefined;
    const chain = chainFrom(
      fullest.filter((load) => load.size === size),
      lightest,
    );
    if (chain !== undefined) return chain;
  }
  return undefined;
}

/** Breadth first from loads of one size, so that the first chain found is one of the shortest. */
function chainFrom(
  starts: readonly MemberLoad[],
  lightest: readonly MemberLoad[],
): Move[] | undefined {
  const { size } = starts[0]!;
  const cameBy = new Map<MemberLoad, Move | undefined>(starts.map((load) => [load, undefined]));
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

/** By size; then visible before hidden; then by member id, because the sort is stable. */
function lightestFirst(a: MemberLoad, b: MemberLoad): number {
  return a.size - b.size || Number(a.hidden) - Number(b.hidden);
}
