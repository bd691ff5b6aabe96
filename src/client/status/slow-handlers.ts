import type { Clock } from '../../platform/clock.ts';
import { Delivery } from './delivery.ts';
import type { UntimedStatus } from './log-status.ts';
import type { Handling, HandledPartition, ObservedMember } from './status-observer.ts';

/** Tells of messages that the application has for so long that its member may be removed. */
export class SlowHandlers {
  readonly #clock: Clock;
  readonly #emit: (status: UntimedStatus) => void;
  /** The head of the ring of deliveries, which is none itself. */
  readonly #ring: Delivery = new Delivery(NO_MEMBER, NO_PARTITION, 0, 0);
  /** One timer serves all deliveries: most end long before it. */
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, emit: (status: UntimedStatus) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Begins to time a delivery. */
  begin(member: ObservedMember, partition: HandledPartition, offset: number): Handling {
    const delivery = new Delivery(member, partition, offset, this.#clock.now());
    delivery.join(this.#ring);
    if (this.#timer === undefined || delivery.due < this.#timer.due) this.#wait(delivery.due);
    return delivery;
  }

  /** Forgets all deliveries, and leaves no timer. */
  close(): void {
    for (const delivery of this.#ring.others()) delivery.end();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(due: number): void {
    this.#timer?.cancel();
    const cancel = this.#clock.after(due - this.#clock.now(), () => this.#check());
    this.#timer = { due, cancel };
  }

  #check(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const delivery of this.#ring.others()) if (delivery.due <= now) this.#tell(delivery, now);
    const next = Math.min(...this.#ring.others().map(({ due }) => due));
    if (next < Infinity) this.#wait(next);
  }

  #tell(delivery: Delivery, now: number): void {
    const { member, partition: of, offset, since } = delivery;
    const { topic, partition, progress } = of;
    // 'partitionsLost' tells of a partition that is gone.
    if (progress === undefined || progress.signal.aborted) return delivery.end();
    delivery.told(now);
    const place = { topic: topic.name, partition, offset };
    const isRevoked = progress.isRevoking;
    const { group, memberId, rebalanceTimeoutMs } = member;
    const who = { group, memberId, rebalanceTimeoutMs };
    this.#emit({ type: 'slowHandler', ...who, ...place, elapsedMs: now - since, isRevoked });
  }
}

// Of the head of the ring.
const NO_MEMBER: ObservedMember = { group: '', memberId: '', rebalanceTimeoutMs: 0 };
const NO_PARTITION: HandledPartition = { topic: { name: '' }, partition: 0, progress: undefined };
