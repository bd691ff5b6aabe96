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

/** A topic and a partition of it. */
export interface TopicPartition {
  readonly topic: TopicLike;
  readonly partition: number;
}

/** A partition that was taken away with messages that were delivered and not committed. */
export interface LostPartition {
  readonly topic: string;
  readonly progress: PartitionProgress;
}

/** The readers of the partitions that are assigned to a consumer, and which of them are paused. */
export class AssignedPartitions {
  readonly #readers: PartitionReader[] = [];
  readonly #connection: Connection;
  readonly #selection: TopicSubscription;
  readonly #isWhole: boolean;
  /**
   * Whether all partitions are paused, but for those in `#differ`. Both outlast an assignment: a
   * partition that comes back is paused as before.
   */
  #allPaused = false;
  readonly #differ = new Set<string>();
  /**
   * Calls of `consumer.seek` under way, in their order: of each, the readers that a later one
   * moves.
   */
  readonly #seeks = new Set<Set<PartitionReader>>();
  #lost: readonly LostPartition[] = [];

  readonly #onWait: OnWait;

  /**
   * `isWhole`: every partition of the topics is assigned, as without a group. `onWait` is told of
   * serdes that wait.
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

  /** The readers: always the same array, in which they come and go. */
  get all(): readonly PartitionReader[] {
    return this.#readers;
  }

  /** Makes a reader; the caller adds it when the partition may be seen. */
  create(topicName: string, options: Omit<PartitionReaderOptions, 'topic'>): PartitionReader {
    const topic = this.#selection.mustGet(topicName);
    const reader = new PartitionReader({ ...options, topic, onWait: this.#onWait });
    reader.setPaused(this.#allPaused !== this.#differ.has(keyOf(reader)));
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
    const isSame = ({ progress: other }: LostPartition): boolean =>
      other.topicId === topicId && other.partition === partition;
    // One idle entry of a partition is enough for a transaction to hear of the loss.
    const kept = this.#lost.filter((lost) => !lost.progress.isIdle || !isSame(lost));
    this.#lost = [...kept, { topic: reader.topic.name, progress }];
  }

  /** Partitions that were taken away with messages that were delivered and not committed. */
  get lost(): readonly LostPartition[] {
    return this.#lost;
  }

  /** Forgets lost partitions: of `which`, else all. */
  forgetLost(which: (lost: LostPartition) => boolean = () => true): void {
    this.#lost = this.#lost.filter((lost) => !which(lost));
  }

  /**
   * Throws `NOT_ASSIGNED` for a partition that is not assigned now, and a `TypeError` or
   * `RangeError` for one that can never be.
   */
  mustGet({ topic: topicLike, partition }: TopicPartition): PartitionReader {
    const { name } = this.#selection.mustGet(topicLike);
    checkInteger('partition', partition, 0);
    const mine = this.#readers.filter((reader) => reader.topic.name === name);
    const found = mine.find((reader) => reader.partition === partition);
    if (found !== undefined) return found;
    if (this.#isWhole && mine.length > 0) checkPartition(name, partition, mine.length);
    throw new TablogError(
      NOT_ASSIGNED,
      `this consumer does not have partition ${partition} of '${name}'`,
      { details: { topic: name, partition } },
    );
  }

  /**
   * Moves a partition, or all. Of several calls for a partition the last one counts, also where the
   * look-up of an earlier one takes longer. `start` is awaited where no partition is assigned yet,
   * and resolves with the offsets of the place as of the call, if they can be known.
   */
  async seek(
    to: Position,
    where: TopicPartition | undefined,
    start: () => Promise<StartingOffsets | undefined>,
  ): Promise<void> {
    const overtaken = new Set<PartitionReader>();
    this.#seeks.add(overtaken);
    try {
      const startingOffsets = this.#readers.length === 0 ? await start() : undefined;
      const readers = this.#select(where);
      for (const earlier of this.#seeks) {
        if (earlier === overtaken) break;
        for (const reader of readers) earlier.add(reader);
      }
      const offsets =
        startingOffsets === undefined
          ? await this.resolve(readers, to)
          : readers.map((reader) => startingOffsets.of(reader));
      readers.forEach((reader, i) => {
        if (!overtaken.has(reader)) reader.seek(offsets[i]!);
      });
    } finally {
      this.#seeks.delete(overtaken);
    }
  }

  setPaused(paused: boolean, where: TopicPartition | undefined): void {
    if (where === undefined) {
      this.#allPaused = paused;
      this.#differ.clear();
    }
    for (const reader of this.#select(where)) {
      reader.setPaused(paused);
      if (paused === this.#allPaused) this.#differ.delete(keyOf(reader));
      else this.#differ.add(keyOf(reader));
    }
  }

  /** The offset of a place in each of the partitions. */
  async resolve(readers: readonly PartitionReader[], to: Position): Promise<readonly number[]> {
    const place = checkPosition(to);
    if ('offset' in place) return readers.map(() => place.offset);
    const { at } = place;
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
