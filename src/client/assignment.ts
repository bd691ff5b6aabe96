import type { TopicInfo } from '../protocol/broker.ts';
import type { Connection } from './connection.ts';
import { checkPosition } from './consumer-options.ts';
import type { Position } from './consumer-options.ts';
import { PartitionReader } from './partition-reader.ts';
import { checkPartition } from './partitioner.ts';
import { asTopic } from './topic.ts';
import type { Topic, TopicLike } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';

/** A topic and a partition of it. */
export interface TopicPartition {
  readonly topic: TopicLike;
  readonly partition: number;
}

/** Which partitions a consumer reads, and where it is in each: here, every partition of its topics. */
export class Assignment {
  readonly readers: PartitionReader[] = [];
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;
  readonly #topics: readonly Topic[];
  /** For partitions that come later. */
  #paused = false;
  #seeks = 0;

  /** Throws a `TypeError` where a topic comes twice. */
  constructor(connection: Connection, registry: TopicRegistry, topics: readonly TopicLike[]) {
    this.#connection = connection;
    this.#registry = registry;
    this.#topics = topics.map(asTopic);
    const names = this.#topics.map((topic) => topic.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new TypeError(`consumer() was given the topic '${twice}' twice`);
  }

  /**
   * Finds the partitions and their places; calls `onGrown` when there are more to read, until
   * `closed` aborts.
   */
  async start(from: Position, closed: AbortSignal, onGrown: () => void): Promise<void> {
    const stop = this.#registry.onChange(() => void this.#addPartitions(onGrown));
    closed.addEventListener('abort', stop, { once: true });
    const infos = await Promise.all(this.#topics.map(({ name }) => this.#registry.load(name)));
    const readers = infos.flatMap((info, i) => this.#newReaders(this.#topics[i]!, info, 0));
    const offsets = await this.#resolve(readers, from);
    readers.forEach((reader, i) => reader.seek(offsets[i]!));
    this.readers.push(...readers);
    onGrown();
    void this.#addPartitions(onGrown); // those that were added meanwhile
  }

  /** To be called when a seek is asked for: of several the last one asked for counts. */
  nextSeek(): number {
    return ++this.#seeks;
  }

  async seek(call: number, to: Position, where: TopicPartition | undefined): Promise<void> {
    const readers = this.#select(where);
    for (const reader of readers) reader.seekCall = call;
    const offsets = await this.#resolve(readers, to);
    readers.forEach((reader, i) => {
      if (reader.seekCall === call) reader.seek(offsets[i]!);
    });
  }

  setPaused(paused: boolean, where: TopicPartition | undefined): void {
    if (where === undefined) this.#paused = paused;
    for (const reader of this.#select(where)) reader.paused = paused;
  }

  /** Throws a `TypeError` or `RangeError` for a topic or a partition that is not read. */
  mustGet(topicLike: TopicLike, partition: number): PartitionReader {
    const { name } = asTopic(topicLike);
    const readers = this.readers.filter((reader) => reader.topic.name === name);
    if (readers.length === 0) {
      const known = this.#topics.some((topic) => topic.name === name);
      throw new TypeError(
        known
          ? `'${name}' has no partitions here yet: await consumer.ready first`
          : `this consumer does not read the topic '${name}'`,
      );
    }
    checkPartition(name, partition, readers.length);
    return readers[partition]!;
  }

  #select(where: TopicPartition | undefined): readonly PartitionReader[] {
    return where === undefined ? this.readers : [this.mustGet(where.topic, where.partition)];
  }

  /** Partitions that were added since are read from their first record: nobody has seen it yet. */
  async #addPartitions(onGrown: () => void): Promise<void> {
    for (const topic of this.#topics) {
      // A topic that is gone is reported by its readers.
      const info = await this.#registry.load(topic.name).catch(() => undefined);
      const mine = this.readers.filter((reader) => reader.topicId === info?.id);
      if (info === undefined || mine.length === 0) continue; // or not assigned yet
      this.readers.push(...this.#newReaders(topic, info, mine.length));
    }
    onGrown();
  }

  #newReaders(topic: Topic, { id, partitions }: TopicInfo, from: number): PartitionReader[] {
    return Array.from({ length: Math.max(partitions - from, 0) }, (_, i) => {
      const reader = new PartitionReader(topic, id, from + i);
      reader.paused = this.#paused;
      return reader;
    });
  }

  async #resolve(readers: readonly PartitionReader[], to: Position): Promise<readonly number[]> {
    const place = checkPosition(to);
    if ('offset' in place) return readers.map(() => place.offset);
    const { at } = place;
    return this.#connection.call(
      'listOffsets',
      readers.map(({ topicId, partition }) => ({ topicId, partition, at })),
    );
  }
}
