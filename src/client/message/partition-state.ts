/**
 * The states of a partition that is assigned to a consumer, and the steps from one to the next
 * (Kafka's `SubscriptionState.FetchStates`, with its `pendingRevocation` as a state).
 *
 *     starting   the 'assigned' listeners have not settled
 *     reading    records are fetched and polled
 *     resetting  the position is out of range, and another one is looked up
 *     deleted    the topic was deleted; the group will revoke the partition
 *     revoking   the group revokes the partition: messages in hand are finished and committed
 *     lost       another member may read the partition: its commits would be `FENCED`
 *
 * `polls`: records are fetched and polled. `delivers`: records that were polled before may still be
 * delivered, and retried. In the other states polled records are dropped, because the next owner of
 * the partition reads them again.
 */
const STATES: { readonly [N in PartitionStateName]: StateRule } = {
  starting: { delivers: true, next: ['reading', 'revoking', 'lost'] },
  reading: { delivers: true, polls: true, next: ['resetting', 'deleted', 'revoking', 'lost'] },
  resetting: { delivers: true, next: ['reading', 'revoking', 'lost'] },
  deleted: { next: ['revoking', 'lost'] },
  revoking: { next: ['lost'] },
  lost: { next: [] },
};

export type PartitionStateName =
  | 'starting'
  | 'reading'
  | 'resetting'
  | 'deleted'
  | 'revoking'
  | 'lost';

interface StateRule {
  readonly delivers?: boolean;
  readonly polls?: boolean;
  readonly next: readonly PartitionStateName[];
}

/** The state of one assigned partition, and the number of seeks in it. */
export class PartitionState {
  #rule: StateRule;
  #seekVersion = 0;

  constructor(name: PartitionStateName) {
    this.#rule = STATES[name];
  }

  /** Whether records may be fetched and polled. */
  get polls(): boolean {
    return this.#rule.polls ?? false;
  }

  /** Whether records that were polled before may be delivered, or retried. */
  get delivers(): boolean {
    return this.#rule.delivers ?? false;
  }

  /** Whether the group revokes the partition. */
  get isRevoking(): boolean {
    return this.#rule === STATES.revoking;
  }

  /**
   * The number of seeks. A caller that has to know later whether a seek has moved the position
   * keeps this version, and compares.
   */
  get seekVersion(): number {
    return this.#seekVersion;
  }

  /**
   * Whether records that were polled at this version may still be delivered, or retried. Otherwise
   * they are read again, here or by another member.
   */
  isCurrent(seekVersion: number): boolean {
    return this.delivers && seekVersion === this.#seekVersion;
  }

  /**
   * Enters the state `next`. Returns false, and changes nothing, where the table has no such step.
   */
  enter(next: PartitionStateName): boolean {
    if (!this.#rule.next.includes(next)) return false;
    this.#rule = STATES[next];
    return true;
  }

  /** Counts a seek. A seek ends a reset, because it gives the partition a position. */
  seek(): void {
    this.#seekVersion++;
    if (this.#rule === STATES.resetting) this.#rule = STATES.reading;
  }
}
