/**
 * The states of a partition that is assigned to a consumer, and the steps from one to the next
 * (Kafka's `SubscriptionState.FetchStates`, with its `pendingRevocation` as a state).
 *
 *     starting   the 'assigned' listeners have not settled
 *     reading    records are fetched and polled
 *     resetting  the position is out of range, and another one is looked up
 *     deleted    the topic was deleted; the group will take the partition away
 *     revoking   the group wants the partition back: messages in hand are finished and committed
 *     lost       another member may read the partition: its commits would be `FENCED`
 *
 * `polls`: records are fetched and polled. `delivers`: records that were polled before may still be
 * delivered, and tried again; elsewhere they are dropped, because they are read again by whoever
 * gets the partition.
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

  /** Whether records that were polled before may be delivered, or tried again. */
  get delivers(): boolean {
    return this.#rule.delivers ?? false;
  }

  /** Whether the group wants the partition back. */
  get isRevoking(): boolean {
    return this.#rule === STATES.revoking;
  }

  /**
   * The number of seeks. Whoever has to know later whether the position was moved meanwhile keeps
   * the version, and compares.
   */
  get seekVersion(): number {
    return this.#seekVersion;
  }

  /**
   * Whether records that were polled at this version may still be delivered, or tried again. Else
   * they come again, here or to another member.
   */
  isCurrent(seekVersion: number): boolean {
    return this.delivers && seekVersion === this.#seekVersion;
  }

  /** Takes the step to `next`; false, and nothing changes, where the table has no such step. */
  enter(next: PartitionStateName): boolean {
    if (!this.#rule.next.includes(next)) return false;
    this.#rule = STATES[next];
    return true;
  }

  /** Counts a seek. It ends a reset: the partition has a position again. */
  seek(): void {
    this.#seekVersion++;
    if (this.#rule === STATES.resetting) this.#rule = STATES.reading;
  }
}
