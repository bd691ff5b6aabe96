import type { Handling, HandledPartition, ObservedMember } from './status-observer.ts';

/**
 * A message or batch that the application has in hand, as a link in the ring of all handlings. A
 * loop adds and removes a link for each message; this takes a tenth of the time of a `Set`.
 */
export class TimedHandling implements Handling {
  readonly member: ObservedMember;
  readonly partition: HandledPartition;
  readonly offset: number;
  /** The time of the delivery, in milliseconds since 1970. */
  readonly since: number;
  #due: number;
  #previous: TimedHandling = this;
  #next: TimedHandling = this;

  constructor(member: ObservedMember, partition: HandledPartition, offset: number, since: number) {
    this.member = member;
    this.partition = partition;
    this.offset = offset;
    this.since = since;
    this.#due = since + reportAfterMs(member);
  }

  /** The time at which the handling is reported next, in milliseconds since 1970. */
  get due(): number {
    return this.#due;
  }

  /** Notes that the handling was reported; it is due again after the same time. */
  reported(now: number): void {
    this.#due = now + reportAfterMs(this.member);
  }

  /** Joins the ring of `other`. */
  join(other: TimedHandling): void {
    this.#previous = other.#previous;
    this.#next = other;
    other.#previous.#next = this;
    other.#previous = this;
  }

  /** Leaves the ring: the application has finished the message. */
  end(): void {
    this.#previous.#next = this.#next;
    this.#next.#previous = this.#previous;
    this.#previous = this;
    this.#next = this;
  }

  /** The other links of the ring. */
  others(): TimedHandling[] {
    const others: TimedHandling[] = [];
    for (let each = this.#next; each !== this; each = each.#next) others.push(each);
    return others;
  }
}

/**
 * How long a handler may take before it is reported, in milliseconds: half of `rebalanceTimeoutMs`.
 * If the partition is revoked at that moment, the other half is left for the handler to end and for
 * its commit to be stored, before the group removes the member.
 */
function reportAfterMs({ rebalanceTimeoutMs }: ObservedMember): number {
  return Math.max(rebalanceTimeoutMs / 2, 1);
}
