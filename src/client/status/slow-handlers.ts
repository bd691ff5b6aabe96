import type { Clock } from '../../platform/clock.ts';
import { TimedHandling } from './timed-handling.ts';
import type { UntimedStatus } from './log-status.ts';
import type { Handling, HandledPartition, ObservedMember } from './status-observer.ts';

/**
 * Reports messages that the application has in hand for so long that the group may remove the
 * member.
 */
export class SlowHandlers {
  readonly #clock: Clock;
  readonly #emit: (status: UntimedStatus) => void;
  /** The head of the ring. The head itself times no message. */
  readonly #ring: TimedHandling = new TimedHandling(NO_MEMBER, NO_PARTITION, 0, 0);
  /** One timer serves all messages in hand, because most handlings end long before they are due. */
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, emit: (status: UntimedStatus) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Begins to time a message or batch. */
  begin(member: ObservedMember, partition: HandledPartition, offset: number): Handling {
    const handling = new TimedHandling(member, partition, offset, this.#clock.now());
    handling.join(this.#ring);
    if (this.#timer === undefined || handling.due < this.#timer.due) this.#setTimer(handling.due);
    return handling;
  }

  /** Ends all handlings and the timer. */
  close(): void {
    for (const handling of this.#ring.others()) handling.end();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #setTimer(due: number): void {
    this.#timer?.cancel();
    const cancel = this.#clock.after(due - this.#clock.now(), () => this.#check());
    this.#timer = { due, cancel };
  }

  #check(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const handling of this.#ring.others()) {
      if (handling.due <= now) this.#report(handling, now);
    }
    const next = Math.min(...this.#ring.others().map(({ due }) => due));
    if (next < Infinity) this.#setTimer(next);
  }

  #report(handling: TimedHandling, now: number): void {
    const { member, partition: handled, offset, since } = handling;
    const { topic, partition, progress } = handled;
    // The status 'partitionsLost' reports a partition that was lost.
    if (progress === undefined || progress.signal.aborted) return handling.end();
    handling.reported(now);
    const place = { topic: topic.name, partition, offset };
    const isRevoked = progress.isRevoking;
    const { group, memberId, rebalanceTimeoutMs } = member;
    const who = { group, memberId, rebalanceTimeoutMs };
    this.#emit({ type: 'slowHandler', ...who, ...place, elapsedMs: now - since, isRevoked });
  }
}

// The values of the head of the ring.
const NO_MEMBER: ObservedMember = { group: '', memberId: '', rebalanceTimeoutMs: 0 };
const NO_PARTITION: HandledPartition = { topic: { name: '' }, partition: 0, progress: undefined };
