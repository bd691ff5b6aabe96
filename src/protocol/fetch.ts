import type { TopicIdPartition } from '../base/topic-id-partition.ts';
import type { ErrorData } from './error-data.ts';

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

export interface FetchRequest {
  readonly clientId: string;
  /** For `cancelFetch`; unique within the client. */
  readonly fetchId: number;
  /** How long the broker waits for records when there are none, in milliseconds. */
  readonly maxWaitMs: number;
  /**
   * The most bytes of the whole answer (Kafka's `fetch.max.bytes`): approximate, and at least one
   * batch. Default: the sum of the partitions' bounds.
   */
  readonly maxBytes?: number;
  /** The partitions to fetch; in a session, those that join it. */
  readonly partitions: readonly FetchPartition[];
  readonly session?: FetchSession;
}

/**
 * A set of partitions that the broker keeps for a client (KIP-227), so that an idle partition costs
 * no part of a request. A request's `partitions` join the set, and an answered partition leaves it.
 * A fetch is answered at once when the session's next fetch comes.
 */
export interface FetchSession {
  /** The id of the session's first fetch; `cancelFetch` with it ends the session. */
  readonly id: number;
  /** The number of the session's fetches before this one. */
  readonly epoch: number;
  /** The partitions that leave the session. */
  readonly forget: readonly TopicIdPartition[];
}

/** Partitions without news are left out of the answer. */
export type FetchedPartition = {
  readonly topicId: string;
  readonly partition: number;
  /** The offset that was asked for. */
  readonly offset: number;
} & (
  | {
      readonly endOffset: number;
      /** The offset at which the next fetch goes on. */
      readonly nextOffset: number;
      /** Whole record batches, checked; the buffers are transferred. */
      readonly segments: readonly ArrayBuffer[];
      /** Some of the batches are compressed. */
      readonly compressed: boolean;
    }
  | { readonly error: ErrorData }
);

/**
 * A place in a partition that the broker resolves to an offset; a number is a time in ms since
 * 1970.
 */
export type OffsetSpec = 'earliest' | 'latest' | number;

/** A starting point: a place that the broker looks up, or an offset. */
export type PositionSpec = { readonly at: OffsetSpec } | { readonly offset: number };

/** The offset of one place in each partition of a topic. */
export interface TopicOffsets {
  readonly id: string;
  readonly name: string;
  readonly offsets: readonly number[];
}
