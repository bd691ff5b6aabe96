import type { Header } from '../../record/record-cursor.ts';

/** A partition that a sink is fed from. */
export interface SinkSource {
  /**
   * The name of this partition's stream of records: `connector/topicId/partition`. A topic's id is
   * that of no other topic, of this or any other log: where the log was lost and began anew, or the
   * topic was created again, the stream is another one.
   */
  readonly id: string;
  /** The connector's name. */
  readonly connector: string;
  /** The log's name. */
  readonly log: string;
  readonly topic: string;
  readonly partition: number;
}

/** A record on its way to a sink. */
export interface SinkRecord<K = unknown, V = unknown> {
  /** The record's id: unique, and the same at every attempt. */
  readonly id: string;
  /** Where the record is to go: the topic that it comes from, unless a transform has routed it. */
  readonly topic: string;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: K | null;
  readonly value: V | null;
  readonly headers: readonly Header[];
}

/**
 * Records of one partition, in order: all that is in the range of offsets `from` up to, and without,
 * `to`. Offsets in the range that have no record were filtered, refused, or never had one.
 */
export interface SinkBatch<K = unknown, V = unknown> {
  readonly source: SinkSource;
  /** The position of the target, as far as this tab knows. */
  readonly from: number;
  /** The position of the target when it has these records. */
  readonly to: number;
  /** Can be empty where the target tells its position: then it moves to `to`. */
  readonly records: readonly SinkRecord<K, V>[];
}

export interface SinkContext {
  /** Aborts when the partition may have gone to another tab, and when the connector closes. */
  readonly signal: AbortSignal;
}

export interface PositionContext extends SinkContext {
  /**
   * The offset that this tab would put next where the target cannot tell its position. The target is done
   * with all before it: it has those records, or they were filtered or refused.
   */
  readonly next: number;
}

/**
 * The target of a connector (Kafka Connect's `SinkTask`). Batches of one partition come one after the
 * other; those of several partitions side by side.
 *
 * What is thrown, or rejected with, is a `SinkError`, or anything else for a failure that passes:
 * the batch then comes again, after a wait.
 */
export interface Sink<K = unknown, V = unknown> {
  /**
   * Stores the batch. Returns the position of the target afterwards, where only a part was stored, or
   * more than the batch. Default: `batch.to`.
   */
  put(
    batch: SinkBatch<K, V>,
    context: SinkContext,
  ): Promise<number | undefined | void> | number | undefined | void;
  /**
   * The position of the target: the offset after the last one that it has. `null`: the target has nothing
   * of this source, and is to get all that the log has. `undefined`: the target cannot tell, and gets
   * what follows what the group has committed. Asked when the connector gets a partition, and after every
   * failure. With it every record is stored once, where the target stores records and position together.
   * Leave it out where the target can never tell: then every record is stored at least once.
   */
  position?(
    source: SinkSource,
    context: PositionContext,
  ): Promise<number | null | undefined> | number | null | undefined;
  /** Called when the connector closes. */
  close?(): Promise<void> | void;
}
