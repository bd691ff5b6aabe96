import type {
  Committed,
  Delivered,
  HistoryEvent,
  Holder,
  Owner,
  Partition,
  Place,
  Report,
} from './history.ts';
import type { MemberChecker } from './member-checker.ts';

type OfPartition = Extract<HistoryEvent, Partition>;

/** A member's hold on the partition, as the member sees it. Times are indices of events. */
interface Hold {
  readonly member: string;
  readonly epoch: number | undefined;
  readonly assigned: number;
  /** The store's `owner` event of the hold; without the store's events, as `assigned`. */
  readonly since: number;
  /** The 'revoked' or 'lost' of the hold. */
  ended: number | undefined;
  /** The last delivery of each lane. */
  readonly delivered: Map<string | undefined, Delivery>;
  /** Whether the member left its loop or sought, so that records may be delivered again. */
  isRewound: boolean;
}

interface Delivery {
  readonly offset: number;
  readonly at: number;
}

interface Accepted {
  readonly offset: number;
  readonly epoch: number;
  readonly at: number;
}

const NOTHING: Accepted = { offset: 0, epoch: -1, at: -1 };

/** Checks the events of one partition. */
export class PartitionChecker {
  readonly #name: string;
  readonly #members: MemberChecker;
  readonly #report: Report;
  readonly #existing = new Set<number>();
  /** The existing offsets in ascending order; filled at the first event. */
  #records: readonly number[] = [];
  readonly #delivered = new Set<number>();
  readonly #processed = new Set<number>();
  /** An index in `#records`: all records before it are processed. */
  #done = 0;
  readonly #holds: Hold[] = [];
  readonly #accepted: Accepted[] = [];
  /** The owners by the store's events, in their order; empty without these events. */
  readonly #owners: (Owner & { readonly at: number })[] = [];
  /** The first member to use each epoch. */
  readonly #users = new Map<number, { readonly name: string; readonly at: number }>();
  #ended: Extract<HistoryEvent, { kind: 'ended' }> | undefined;

  constructor(name: string, members: MemberChecker, report: Report) {
    this.#name = name;
    this.#members = members;
    this.#report = report;
  }

  exists({ offset }: Place): void {
    this.#existing.add(offset);
  }

  see(event: OfPartition, i: number): void {
    if (this.#records.length < this.#existing.size) {
      this.#records = [...this.#existing].sort((a, b) => a - b);
    }
    switch (event.kind) {
      case 'owner':
        this.#owners.push({ ...event, at: i });
        return;
      case 'assigned':
        this.#useEpoch(event, i);
        return this.#begin(event, i);
      case 'revoked':
      case 'lost':
        return this.#end(event, i);
      case 'rewound': {
        const hold = this.#holdOf(event);
        if (hold !== undefined) hold.isRewound = true;
        return;
      }
      case 'delivered':
        this.#delivered.add(event.offset);
        this.#useEpoch(event, i);
        return this.#deliver(event, i);
      case 'processed':
        this.#processed.add(event.offset);
        while (this.#processed.has(this.#records[this.#done]!)) this.#done++;
        return;
      case 'committed':
        if (event.outcome === 'accepted') this.#commit(event, i);
        return;
      case 'acknowledged':
        return this.#acknowledge(event, i);
      case 'ended':
        this.#ended = event;
        return;
      case 'produced':
    }
  }

  finish(): void {
    const undelivered = this.#records.filter((offset) => !this.#delivered.has(offset));
    if (undelivered.length > 0) {
      this.#wrong('everything is delivered', `nobody got ${undelivered.join(', ')}`);
    }
    const unprocessed = this.#records.slice(this.#done).filter((o) => !this.#processed.has(o));
    if (unprocessed.length > 0) {
      this.#wrong('everything is processed', `nobody processed ${unprocessed.join(', ')}`);
    }
    const end = this.#ended?.endOffset ?? (this.#records.at(-1) ?? -1) + 1;
    const last = this.#accepted.at(-1);
    const committed = this.#ended?.committedOffset ?? last?.offset ?? 0;
    if (committed !== end) {
      const happened = `the end is ${end}, and the group is at ${committed}`;
      this.#wrong('everything is committed', happened, last?.at);
    }
  }

  #useEpoch({ member, life, epoch }: Holder, i: number): void {
    if (epoch === undefined) return;
    const name = life === undefined ? member : `${member} (life ${life})`;
    const first = this.#users.get(epoch);
    if (first === undefined) this.#users.set(epoch, { name, at: i });
    else if (first.name !== name) {
      const happened = `in epoch ${epoch} it is of ${first.name} and of ${name}`;
      this.#wrong('one member an epoch', happened, first.at, i);
    }
  }

  #begin({ member, epoch }: Holder, i: number): void {
    const granted = this.#owners.find((o) => o.member === member && o.epoch === epoch);
    const hold: Hold = {
      member,
      epoch,
      assigned: i,
      since: granted?.at ?? i,
      ended: undefined,
      delivered: new Map(),
      isRewound: false,
    };
    for (const other of this.#holds) {
      if (other.ended !== undefined) continue;
      if (this.#isOver(other, hold)) continue;
      const happened = `${member} begins, and ${other.member} has not given it up`;
      this.#wrong('one member at a time', happened, other.assigned, i);
    }
    this.#holds.push(hold);
  }

  /** Whether the older of two holds is over, although its member had no 'revoked' and no 'lost'. */
  #isOver(a: Hold, b: Hold): boolean {
    const older = (a.epoch ?? 0) <= (b.epoch ?? Infinity) ? a : b;
    return a.member === b.member
      ? this.#members.hasCrashed(a.member, a.assigned)
      : this.#members.mayBeGone(older.member, older.since);
  }

  #end(event: Holder, i: number): void {
    const hold = this.#holdOf(event);
    if (hold !== undefined) hold.ended ??= i;
  }

  #deliver(event: Delivered, i: number): void {
    const { member, offset, lane } = event;
    const hold = this.#holdOf(event);
    if (hold === undefined || hold.ended !== undefined) {
      const happened = `${member} gets ${offset} of what it does not have`;
      return this.#wrong('only to the owner', happened, hold?.ended, i);
    }
    if (hold.delivered.size === 0) this.#checkPlace(hold, offset, i);
    const last = hold.delivered.get(lane);
    if (last !== undefined) this.#checkOrder(hold, last, event, i);
    if (hold.isRewound) hold.delivered.clear();
    hold.isRewound = false;
    hold.delivered.set(lane, { offset, at: i });
  }

  #checkPlace({ epoch, member, assigned }: Hold, offset: number, i: number): void {
    const before = this.#accepted.filter((commit) => {
      return commit.at < assigned && commit.epoch <= (epoch ?? Infinity);
    });
    const last = before.at(-1) ?? NOTHING;
    const place = this.#nextFrom(last.offset);
    const unprocessed = this.#records[this.#done] ?? Infinity;
    if (offset > unprocessed) {
      const happened = `${member} begins at ${offset}, and nobody has processed ${unprocessed}`;
      this.#wrong('begins where the group is', happened, last.at, i);
    } else if (offset < place || (offset > place && this.#owners.length > 0)) {
      const happened = `${member} begins at ${offset}, and the group is at ${place}`;
      this.#wrong('begins where the group is', happened, last.at, i);
    }
  }

  #checkOrder(hold: Hold, last: Delivery, { offset, lane }: Delivered, i: number): void {
    const next = this.#nextFrom(last.offset + 1);
    const comesAgain = hold.isRewound && offset < next;
    if (comesAgain || (lane === undefined ? offset === next : offset >= next)) return;
    const happened = `${hold.member} gets ${offset} after ${last.offset}`;
    this.#wrong('in order', happened, last.at, i);
  }

  #commit(event: Committed, i: number): void {
    const { member, epoch, offset, call } = event;
    const from = (call === undefined ? undefined : this.#members.calledAt(call)) ?? i;
    this.#useEpoch(event, i);
    const unprocessed = this.#records[this.#done];
    if (unprocessed !== undefined && unprocessed < offset) {
      const happened = `${member} commits ${offset}, and nobody has processed ${unprocessed}`;
      this.#wrong('commits what is processed', happened, i);
    }
    const last = this.#accepted.findLast(({ at }) => at < from);
    if (last !== undefined && offset < last.offset) {
      const happened = `${member} commits ${offset} after ${last.offset}`;
      this.#wrong('commits go forwards', happened, last.at, i);
    }
    const other = this.#otherOwner(event, from);
    if (other !== undefined) {
      const happened = `${member} commits ${offset}, and it is not the owner any more`;
      this.#wrong('only the owner commits', happened, other, i);
    }
    this.#accepted.push({ offset, epoch: epoch ?? -1, at: i });
  }

  /**
   * The event by which the commit's member was not the owner at any time at which the commit may
   * have been stored; `undefined` when the member may have been the owner.
   */
  #otherOwner(event: Committed, from: number): number | undefined {
    const { member, epoch } = event;
    if (this.#owners.length > 0) {
      const before = this.#owners.findLast(({ at }) => at < from);
      const during = this.#owners.filter(({ at }) => at > from);
      const may = [before, ...during].some((o) => o?.member === member && o.epoch === epoch);
      return may ? undefined : (before?.at ?? from);
    }
    const hold = this.#holdOf(event);
    const later = this.#holds.find((other) => {
      return hold !== undefined && other.assigned > hold.assigned && other.assigned < from;
    });
    return later?.assigned;
  }

  #acknowledge({ member, offset }: Holder & Place, i: number): void {
    if (this.#accepted.some((commit) => commit.offset >= offset)) return;
    const happened = `${member} was told that ${offset} is committed`;
    this.#wrong('acknowledged is stored', happened, this.#accepted.at(-1)?.at, i);
  }

  #holdOf({ member, epoch }: Holder): Hold | undefined {
    return this.#holds.findLast((hold) => {
      return hold.member === member && (epoch === undefined || hold.epoch === epoch);
    });
  }

  /** The first record at or after `offset`. */
  #nextFrom(offset: number): number {
    return this.#records.find((record) => record >= offset) ?? Infinity;
  }

  #wrong(rule: Parameters<Report>[0], happened: string, ...events: (number | undefined)[]): void {
    const known = events.filter((event) => event !== -1);
    this.#report(rule, `${this.#name}: ${happened}`, ...known);
  }
}
