import { checkInteger, checkMs, show, withDefaults } from '../base/argument.ts';
import type { OffsetSpec } from '../protocol/broker.ts';
import type { TopicLike } from './topic.ts';

/**
 * A place in a partition: its first record, the end, an offset, or the first record at or after a
 * time.
 */
export type Position = 'earliest' | 'latest' | number | Date;

export interface ConsumerOptions<T extends TopicLike = TopicLike> {
  /** What to read; each topic once. */
  readonly topics: readonly T[];
  /** Where to begin (Kafka's `auto.offset.reset`, and more). Default 'latest': only what comes. */
  readonly from?: Position;
  /** Aborting it closes the consumer. */
  readonly signal?: AbortSignal;
  /** How many bytes may be fetched and not read yet, over all partitions. Default 8 MiB. */
  readonly prefetchBytes?: number;
  /** How many bytes one fetch brings of one partition (`max.partition.fetch.bytes`). Default 1 MiB. */
  readonly maxPartitionBytes?: number;
  /**
   * How long a fetch waits for news (`fetch.max.wait.ms`), in milliseconds. Default 5000. It bounds
   * how late a record can be noticed when the message that tells of it is lost, and nothing else.
   */
  readonly maxWaitMs?: number;
}

export type CheckedConsumerOptions<T extends TopicLike> = Required<
  Omit<ConsumerOptions<T>, 'signal'>
> & {
  readonly signal: AbortSignal | undefined;
};

/** Where to begin: a place that the broker looks up, or an offset. */
export type OffsetPlace = { readonly at: OffsetSpec } | { readonly offset: number };

/** `options` with the defaults. Throws a `TypeError` or a `RangeError` for what breaks a rule. */
export function checkConsumerOptions<T extends TopicLike>(
  options: ConsumerOptions<T>,
): CheckedConsumerOptions<T> {
  const checked = withDefaults<CheckedConsumerOptions<T>>('consumer()', options, {
    topics: [],
    from: 'latest',
    signal: undefined,
    prefetchBytes: 8 * 1024 * 1024,
    maxPartitionBytes: 1024 * 1024,
    maxWaitMs: 5000,
  });
  const { topics, prefetchBytes, maxPartitionBytes, maxWaitMs } = checked;
  if (!Array.isArray(topics) || topics.length === 0) {
    throw new TypeError(`consumer() takes an array of at least one topic, got ${show(topics)}`);
  }
  checkInteger('prefetchBytes', prefetchBytes, 1);
  checkInteger('maxPartitionBytes', maxPartitionBytes, 1);
  checkMs('maxWaitMs', maxWaitMs);
  checkPosition(checked.from);
  const { signal } = checked;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${show(signal)}`);
  }
  return checked;
}

/** Throws a `TypeError` or `RangeError` for what is no place in a partition. */
export function checkPosition(position: Position): OffsetPlace {
  if (position === 'earliest' || position === 'latest') return { at: position };
  if (position instanceof Date) {
    const time = position.getTime();
    if (Number.isNaN(time)) {
      throw new RangeError(`a position must be a valid Date, got ${show(position)}`);
    }
    return { at: time };
  }
  if (typeof position === 'number') {
    checkInteger('an offset', position, 0);
    return { offset: position };
  }
  throw new TypeError(
    `a position must be 'earliest', 'latest', an offset or a Date, got ${show(position)}`,
  );
}
