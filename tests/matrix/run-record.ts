/** An event of a run; events are in the order in which the test heard of them. */
export type RunEvent = { /** Milliseconds. */ readonly at: number } & Told;

/** An event that a tab tells; `fault` is the test's. */
export type Told =
  /** `sentAt` by the tab's clock, which is the test's: both run on one machine. */
  | ({ readonly kind: 'acked'; readonly sentAt: number } & Sent & Place)
  | ({ readonly kind: 'refused'; readonly code: string } & Sent)
  /** A transaction with the copies of the records before `next` is stored. */
  | { readonly kind: 'copied'; readonly partition: number; readonly next: number }
  | { readonly kind: 'copierFailed'; readonly code: string }
  /** A call that has not settled in time. */
  | { readonly kind: 'late'; readonly call: string }
  | { readonly kind: 'unhandled'; readonly text: string }
  | { readonly kind: 'status'; readonly type: string; readonly lost?: LostRange }
  /** The log, or a topic of it, was so damaged that a call told it by an error. */
  | { readonly kind: 'unusable'; readonly topic?: string; readonly code: string }
  | { readonly kind: 'fault'; readonly fault: string };

/** The records of a partition that a status told to be lost: from `from` to before `to`. */
export interface LostRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** A record, by its producer and its number among the producer's records. */
export interface Sent {
  readonly producer: string;
  readonly n: number;
}

export interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** A record that was read at the end. */
export interface Found extends Sent {
  readonly offset: number;
  /** Whether its bytes are those that were sent. */
  readonly isWhole: boolean;
}

/** A partition as it was read at the end. */
export interface Contents {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly records: readonly Found[];
}

/** All that is known of a run when it is over. */
export interface RunRecord {
  readonly events: readonly RunEvent[];
  /** The records of the producers, by partition. */
  readonly orders: readonly Contents[];
  /** The copies of `orders` that a group made in transactions, by partition. */
  readonly copies: readonly Contents[];
}
