import { checkInteger } from '../../base/argument.ts';
import { NOT_ASSIGNED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { Connection } from '../connection/connection.ts';
import { checkPosition } from './position.ts';
import type { Position } from './position.ts';
import type { StartingOffsets } from './starting-offsets.ts';
import { checkPartition } from '../accumulator/partitioner.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import { PartitionReader } from './partition-reader.ts';
import type { OnWait, PartitionReaderOptions } from './partition-reader.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { TopicSubscription } from './topic-subscription.ts';

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: TopicLike;
  readonly partition: number;
}

/** A partition that the member has lost while messages were delivered and not committed. */
export interface LostPartition {
  readonly topic: string;
  readonly progress: PartitionProgress;
}

/**
 * The readers of the assigned partitions, and which of them are paused (both part of Kafka's
 * `SubscriptionState`).
 */
export class AssignedPartitions {
  readonly #readers: PartitionReader[] = [];
  readonly #connection: Connection;
  readonly #selection: TopicSubscription;
  readonly #isWhole: boolean;
  /**
   * Whether all partitions are paused, except for those in `#exceptions`. Both outlast an
   * assignment: a partition that is assigned again is paused as before.
   */
  #allPaused = false;
  readonly #exceptions = new Set<string>();
  /**
   * Unfinished calls of `consumer.seek`, in order of the calls. Each entry is the set of readers
   * that a later call moves.
   */
  readonly #seeks = new Set<Set<PartitionReader>>();
  #lost: readonly LostPartition[] = [];
  readonly #onWait: OnWait;

  /**
   * `isWhole`: every partition of the topics is assigned, as without a group. `onWait` is called
   * when a serde waits.
   */
  constructor(
    connection: Connection,
    selection: TopicSubscription,
    isWhole: boolean,
    onWait: OnWait,
  ) {
    this.#connection = connection;
    this.#selection = selection;
    this.#isWhole = isWhole;
    this.#onWait = onWait;
  }

  /**
   * The readers: always the same array, to which readers are added and from which they are removed.
   */
  get all(): readonly PartitionReader[] {
    return this.#readers;
  }

  /** Makes a reader. The caller adds the reader when the partition may be seen. */
  create(topicName: string, options: Omit<PartitionReaderOptions, 'topic'>): PartitionReader {
    const topic = this.#selection.mustGet(topicName);
    const reader = new PartitionReader({ ...options, topic, onWait: this.#onWait });
    reader.setPaused(this.#allPaused !== this.#exceptions.has(keyOf(reader)));
    return reader;
  }

  add(readers: readonly PartitionReader[]): void {
    this.#readers.push(...readers);
  }

  remove(reader: PartitionReader): void {
    const at = this.#readers.indexOf(reader);
    if (at !== -1) this.#readers.splice(at, 1);
    const { progress, topicId, partition } = reader;
    if (progress === undefined) return;
    if (progress.isIdle && progress.delivered <= progress.committed) return;
    const isSamePartition = ({ progress: other }: LostPartition): boolean =>
      other.topicId === topicId && other.partition === partition;
    // A transaction notices the loss by a single idle entry of a partition.
    const kept = this.#lost.filter((lost) => !lost.progress.isIdle || !isSamePartition(lost));
    this.#lost = [...kept, { topic: reader.topic.name, progress }];
  }

  /** The partitions that were lost while messages were delivered and not committed. */
  get lost(): readonly LostPartition[] {
    return this.#lost;
  }

  /** Forgets the lost partitions that `which` accepts; by default all. */
  forgetLost(which: (lost: LostPartition) => boolean = () => true): void {
    this.#lost = this.#lost.filter((lost) => !which(lost));
  }

  /**
   * The reader of a partition. Throws `NOT_ASSIGNED` for a partition that is not assigned now, and
   * a `TypeError` or `RangeError` for a partition that can never be assigned.
   */
  mustGet({ topic: topicLike, partition }: TopicPartition): PartitionReader {
    const { name } = this.#selection.mustGet(topicLike);
    checkInteger('partition', partition, 0);
    const ofTopic = this.#readers.filter((reader) => reader.topic.name === name);
    const found = ofTopic.find((reader) => reader.partition === partition);
    if (found !== undefined) return found;
    if (this.#isWhole && ofTopic.length > 0) checkPartition(name, partition, ofTopic.length);
    throw new TablogError(
      NOT_ASSIGNED,
      `this consumer does not have partition ${partition} of '${name}'`,
      { details: { topic: name, partition } },
    );
  }

  /**
   * Moves one partition, or all. Of several calls for a partition the last call counts, also where
   * the look-up of an earlier call takes longer. `start` is awaited where no partition is assigned
   * yet; it resolves with the offsets of `to` at the time of the call, if they can be known.
   */
  async seek(
    to: Position,
    where: TopicPartition | undefined,
    start: () => Promise<StartingOffsets | undefined>,
  ): Promise<void> {
    const movedLater = new Set<PartitionReader>();
    this.#seeks.add(movedLater);
    try {
      const startingOffsets = this.#readers.length === 0 ? await start() : undefined;
      const readers = this.#select(where);
      for (const earlier of this.#seeks) {
        if (earlier === movedLater) break;
        for (const reader of readers) earlier.add(reader);
      }
      const offsets =
        startingOffsets === undefined
          ? await this.resolve(readers, to)
          : readers.map((reader) => startingOffsets.of(reader));
      readers.forEach((reader, i) => {
        if (!movedLater.has(reader)) reader.seek(offsets[i]!);
      });
    } finally {
      this.#seeks.delete(movedLater);
    }
  }

  setPaused(paused: boolean, where: TopicPartition | undefined): void {
    if (where === undefined) {
      this.#allPaused = paused;
      this.#exceptions.clear();
    }
    for (const reader of this.#select(where)) {
      reader.setPaused(paused);
      if (paused === this.#allPaused) this.#exceptions.delete(keyOf(reader));
      else this.#exceptions.add(keyOf(reader));
    }
  }

  /** The offset of the position `to` in each of the partitions. */
  async resolve(readers: readonly PartitionReader[], to: Position): Promise<readonly number[]> {
    const spec = checkPosition(to);
    if ('offset' in spec) return readers.map(() => spec.offset);
    const { at } = spec;
    return this.#connection.call(
      'listOffsets',
      readers.map(({ topicId, partition }) => ({ topicId, partition, at })),
    );
  }

  #select(where: TopicPartition | undefined): readonly PartitionReader[] {
    return where === undefined ? [...this.#readers] : [this.mustGet(where)];
  }
}

function keyOf({ topic, partition }: PartitionReader): string {
  return `${topic.name}/${partition}`;
}
