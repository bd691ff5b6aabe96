import { checkInteger } from '../../base/argument.ts';
import { NOT_ASSIGNED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { Connection } from '../connection/connection.ts';
import { checkPosition } from './position.ts';
import type { Position } from './position.ts';
import type { StartingOffsets } from './starting-offsets.ts';
import { checkPartition } from '../accumulator/partitioner.ts';
import { lost } from '../message/partition-progress.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import { PartitionReader } from './partition-reader.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { TopicSubscription } from './topic-subscription.ts';

/** A topic and a partition of it. */
export interface TopicPartition {
  readonly topic: TopicLike;
  readonly partition: number;
}

/** The partitions that a consumer has now: where it is in each, and which are paused. */
export class AssignedPartitions {
  readonly all: PartitionReader[] = [];
  readonly #connection: Connection;
  readonly #selection: TopicSubscription;
  readonly #isWhole: boolean;
  /** Whether all are paused, but for those that differ: also when they go and come back. */
  #allPaused = false;
  readonly #differ = new Set<string>();
  #seeks = 0;
  /** Progress in partitions that were taken away with messages handed out and not committed. */
  #lost: readonly PartitionProgress[] = [];

  /** `isWhole`: it has every partition of its topics. */
  constructor(connection: Connection, selection: TopicSubscription, isWhole: boolean) {
    this.#connection = connection;
    this.#selection = selection;
    this.#isWhole = isWhole;
  }

  /** A reader of a partition; it is to be added when it has its place. */
  create(topicName: string, topicId: string, partition: number): PartitionReader {
    const reader = new PartitionReader(this.#selection.mustGet(topicName), topicId, partition);
    reader.paused = this.#allPaused !== this.#differ.has(keyOf(reader));
    return reader;
  }

  remove(reader: PartitionReader): void {
    const at = this.all.indexOf(reader);
    if (at !== -1) this.all.splice(at, 1);
    const { progress } = reader;
    if (progress === undefined) return;
    if (progress.isIdle && progress.delivered <= progress.committed) return;
    // A second idle entry would change nothing: the error of a transaction names one partition.
    this.#lost = [...this.#lost.filter(({ isIdle }) => !isIdle), progress];
  }

  /** Forgets that partitions were taken away with messages handed out: the loop that had them has ended. */
  forgetLost(): void {
    this.#lost = [];
  }

  /**
   * The progress in every partition, for a transaction that commits what was handed out. Throws
   * `FENCED` where a partition was taken away with messages that it would commit, and a `TypeError`
   * while several messages are in the application's hands: the transaction may mean one of them.
   */
  handedOut({ commitsItself }: { readonly commitsItself: boolean }): PartitionProgress[] {
    const isMeant = ({ isIdle }: PartitionProgress): boolean => !isIdle || !commitsItself;
    const taken = this.#lost.find(isMeant);
    // A message still in hand may be tried again; every other loss is told once.
    this.#lost = this.#lost.filter(({ isIdle }) => !isIdle);
    if (taken !== undefined) throw lost(taken);
    const all = this.all.flatMap(({ progress }) => progress ?? []);
    if (all.reduce((sum, { inHand }) => sum + inHand, 0) <= 1) return all;
    throw new TypeError(
      'commitOffsets() with several messages in hand: use run() with a concurrency of 1',
    );
  }

  /**
   * Throws `NOT_ASSIGNED` for a partition that the consumer does not have now, and a `TypeError` or
   * `RangeError` for what it can never have.
   */
  mustGet({ topic: topicLike, partition }: TopicPartition): PartitionReader {
    const { name } = this.#selection.mustGet(topicLike);
    checkInteger('partition', partition, 0);
    const mine = this.all.filter((reader) => reader.topic.name === name);
    const found = mine.find((reader) => reader.partition === partition);
    if (found !== undefined) return found;
    if (this.#isWhole && mine.length > 0) checkPartition(name, partition, mine.length);
    throw new TablogError(
      NOT_ASSIGNED,
      `this consumer does not have partition ${partition} of '${name}'`,
      { details: { topic: name, partition } },
    );
  }

  /** To be called when a seek is asked for: of several the last one asked for counts. */
  nextSeek(): number {
    return ++this.#seeks;
  }

  /**
   * `startingOffsets`: the offsets of the place when the seek was called; without them the place is looked
   * up now.
   */
  async seek(
    call: number,
    to: Position,
    where: TopicPartition | undefined,
    startingOffsets?: StartingOffsets,
  ): Promise<void> {
    const readers = this.#select(where);
    for (const reader of readers) reader.seekCall = call;
    const offsets =
      startingOffsets === undefined
        ? await this.resolve(readers, to)
        : readers.map((reader) => startingOffsets.of(reader));
    readers.forEach((reader, i) => {
      if (reader.seekCall === call) reader.seek(offsets[i]!);
    });
  }

  setPaused(paused: boolean, where: TopicPartition | undefined): void {
    if (where === undefined) {
      this.#allPaused = paused;
      this.#differ.clear();
    }
    for (const reader of this.#select(where)) {
      reader.paused = paused;
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
    return where === undefined ? [...this.all] : [this.mustGet(where)];
  }
}

function keyOf({ topic, partition }: PartitionReader): string {
  return `${topic.name}/${partition}`;
}
