import { checkInteger, checkMs, show, withDefaults } from '../base/argument.ts';
import { deferred } from '../base/deferred.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import { checkConsumerOptions, checkPosition } from './consumer-options.ts';
import type {
  CheckedConsumerOptions,
  ConsumerOptions,
  OffsetPlace,
  Position,
} from './consumer-options.ts';
import type { Connection } from './connection.ts';
import { Fetcher } from './fetcher.ts';
import type { Message, MessageBatch, MessageOf } from './message.ts';
import { PartitionReader } from './partition-reader.ts';
import { checkPartition } from './partitioner.ts';
import { asTopic } from './topic.ts';
import type { Topic, TopicLike } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';

/** Kafka's `max.poll.records`: also how many messages one partition gets before the next one's turn. */
const TURN_MESSAGES = 500;

export interface BatchesOptions {
  /** The most messages in one batch. Default 500. */
  readonly max?: number;
  /** How long a batch that is not full waits for more messages, in milliseconds. Default 0. */
  readonly maxWaitMs?: number;
}

export interface RunOptions<T extends TopicLike> {
  /** Called for one message at a time; the next comes when what it returns has settled. */
  readonly eachMessage: (message: MessageOf<T>) => void | Promise<void>;
}

/** A topic and a partition of it. */
export interface TopicPartition {
  readonly topic: TopicLike;
  readonly partition: number;
}

/**
 * Reads topics, every partition of them. Made by `log.consumer()`; close it, or the log, when done.
 *
 * It fetches only while somebody reads: leaving a loop stops it, and another loop goes on with the
 * next message.
 */
export class Consumer<T extends TopicLike = TopicLike> implements AsyncIterable<MessageOf<T>> {
  /** Resolves when every partition has its place: what is sent from now on will be read. */
  readonly ready: Promise<void>;
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;
  readonly #options: CheckedConsumerOptions<T>;
  readonly #topics: readonly Topic[];
  readonly #readers: PartitionReader[] = [];
  readonly #fetcher: Fetcher;
  readonly #closing = new AbortController();
  #turn = 0;
  #turnLeft = TURN_MESSAGES;
  #reading = false;
  #paused = false;
  #seeks = 0;

  constructor(connection: Connection, registry: TopicRegistry, options: ConsumerOptions<T>) {
    this.#connection = connection;
    this.#registry = registry;
    this.#options = checkConsumerOptions(options);
    this.#topics = this.#options.topics.map(asTopic);
    const names = this.#topics.map((topic) => topic.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new TypeError(`consumer() was given the topic '${twice}' twice`);
    this.#fetcher = new Fetcher(connection, this.#options, this.#readers, () =>
      registry.checkAge(),
    );
    this.ready = this.#assign();
    this.ready.catch(() => {}); // whoever reads gets it too
    const { signal } = this.#options;
    const { closed } = connection;
    const stop = this.#closing.signal;
    closed.addEventListener('abort', () => void this.close(), { once: true, signal: stop });
    signal?.addEventListener('abort', () => void this.close(), { once: true, signal: stop });
    if (signal?.aborted || closed.aborted) void this.close();
  }

  /**
   * One message after the other, from all partitions in turn. Ends when the consumer is closed;
   * throws `OFFSET_OUT_OF_RANGE`, `UNKNOWN_TOPIC`, `LOG_CORRUPT`, `BATCH_CORRUPT` and what else
   * stops a partition, until somebody seeks.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<T>, undefined, undefined> {
    const leave = this.#enter();
    let ended = false;
    const end = (): { done: true; value: undefined } => {
      if (!ended) leave();
      ended = true;
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        try {
          for (;;) {
            if (ended || this.#closing.signal.aborted) return end();
            const { arrival } = this.#fetcher;
            const message = this.#take();
            if (message !== undefined) return { done: false, value: message as MessageOf<T> };
            await this.#more(arrival);
          }
        } catch (error) {
          end();
          throw error;
        }
      },
      return: () => Promise.resolve(end()),
    };
  }

  /** Batches of up to `max` messages, each of one partition. Ends and throws as the messages do. */
  batches(options: BatchesOptions = {}): AsyncGenerator<MessageBatch<T>, void, undefined> {
    const defaults = { max: TURN_MESSAGES, maxWaitMs: 0 };
    const { max, maxWaitMs } = withDefaults<Required<BatchesOptions>>(
      'batches()',
      options,
      defaults,
    );
    checkInteger('max', max, 1);
    checkMs('maxWaitMs', maxWaitMs);
    return this.#batches(max, maxWaitMs);
  }

  async *#batches(
    max: number,
    maxWaitMs: number,
  ): AsyncGenerator<MessageBatch<T>, void, undefined> {
    const leave = this.#enter();
    try {
      while (!this.#closing.signal.aborted) {
        const { arrival } = this.#fetcher;
        this.#turnLeft = 0; // each batch is another partition's turn
        const first = this.#take();
        if (first === undefined) {
          await this.#more(arrival);
          continue;
        }
        const reader = this.#readers[this.#turn]!;
        const messages = await this.#gather(reader, first, max, maxWaitMs);
        this.#fetcher.pump();
        if (messages.length > 0) yield batchOf(reader, messages) as MessageBatch<T>;
      }
    } finally {
      leave();
    }
  }

  /** Messages of one partition, `first` and what follows it; none where somebody seeks or pauses it. */
  async #gather(
    reader: PartitionReader,
    first: Message,
    max: number,
    maxWaitMs: number,
  ): Promise<Message[]> {
    const { clock } = this.#connection;
    const { epoch } = reader;
    const messages = [first];
    const until = clock.now() + maxWaitMs;
    for (;;) {
      const { arrival } = this.#fetcher;
      const goesOn = fill(messages, reader, max);
      const left = until - clock.now();
      if (!goesOn || messages.length >= max || left <= 0 || this.#closing.signal.aborted) {
        return messages;
      }
      this.#fetcher.pump();
      await this.#within(left, arrival);
      if (reader.epoch !== epoch) return [];
      if (reader.paused) {
        reader.seek(first.offset); // they will be read when it goes on
        return [];
      }
    }
  }

  /**
   * Calls a handler for each message, until the consumer is closed. When the handler throws, `run`
   * rejects with its error, and the message that it failed at is the next to be read.
   */
  async run(options: RunOptions<T>): Promise<void> {
    const { eachMessage } = options ?? {};
    if (typeof eachMessage !== 'function') {
      throw new TypeError(`run() takes an eachMessage function, got ${show(eachMessage)}`);
    }
    for await (const message of this) {
      try {
        await eachMessage(message);
      } catch (error) {
        this.#mustGet(message.topic, message.partition).seek(message.offset);
        throw error;
      }
    }
  }

  /** The offset of the next message of a partition. */
  position({ topic, partition }: TopicPartition): number {
    return this.#mustGet(topic, partition).position;
  }

  /**
   * Moves a partition, or all of them, to another place. What was fetched before is dropped; no
   * message from there is delivered any more.
   */
  async seek(to: Position, where?: TopicPartition): Promise<void> {
    const place = checkPosition(to);
    const call = ++this.#seeks;
    await this.ready;
    const readers = this.#select(where);
    for (const reader of readers) reader.seekCall = call;
    const offsets = await this.#resolve(readers, place);
    readers.forEach((reader, i) => {
      if (reader.seekCall === call) reader.seek(offsets[i]!); // else a later call has been made
    });
    this.#fetcher.interrupt(); // polls that wait at the old place
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /** Stops delivering a partition, or all; what is fetched of it stays. */
  pause(where?: TopicPartition): void {
    if (where === undefined) this.#paused = true;
    for (const reader of this.#select(where)) reader.paused = true;
  }

  resume(where?: TopicPartition): void {
    if (where === undefined) this.#paused = false;
    for (const reader of this.#select(where)) reader.paused = false;
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /** Ends the loops that read it. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#fetcher.stop();
    this.#fetcher.wake();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Finds the partitions of the topics and their places. */
  async #assign(): Promise<void> {
    const stop = this.#registry.onChange(() => void this.#addPartitions());
    this.#closing.signal.addEventListener('abort', stop, { once: true });
    const infos = await Promise.all(this.#topics.map(({ name }) => this.#registry.load(name)));
    const readers = infos.flatMap((info, i) => this.#newReaders(this.#topics[i]!, info, 0));
    const offsets = await this.#resolve(readers, checkPosition(this.#options.from));
    readers.forEach((reader, i) => reader.seek(offsets[i]!));
    this.#readers.push(...readers);
    this.#fetcher.pump();
    this.#fetcher.wake();
    void this.#addPartitions(); // those that were added meanwhile
  }

  /** Partitions that were added since are read from their first record: nobody has seen it yet. */
  async #addPartitions(): Promise<void> {
    for (const topic of this.#topics) {
      // A topic that is gone is reported by its readers.
      const info = await this.#registry.load(topic.name).catch(() => undefined);
      const mine = this.#readers.filter((reader) => reader.topicId === info?.id);
      if (info === undefined || mine.length === 0) continue; // or not assigned yet
      this.#readers.push(...this.#newReaders(topic, info, mine.length));
    }
    this.#fetcher.pump();
  }

  #newReaders(topic: Topic, { id, partitions }: TopicInfo, from: number): PartitionReader[] {
    return Array.from({ length: Math.max(partitions - from, 0) }, (_, i) => {
      const reader = new PartitionReader(topic, id, from + i, 0);
      reader.paused = this.#paused;
      return reader;
    });
  }

  async #resolve(
    readers: readonly PartitionReader[],
    place: OffsetPlace,
  ): Promise<readonly number[]> {
    if ('offset' in place) return readers.map(() => place.offset);
    const { at } = place;
    return this.#connection.call(
      'listOffsets',
      readers.map(({ topicId, partition }) => ({ topicId, partition, at })),
    );
  }

  #enter(): () => void {
    if (this.#reading) {
      throw new TypeError('a consumer is read by one loop at a time: make another consumer');
    }
    this.#reading = true;
    this.#fetcher.start();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#reading = false;
      this.#fetcher.stop();
    };
  }

  /** The next message that is at hand: from the partition whose turn it is, or the next that has one. */
  #take(): Message | undefined {
    if (this.#readers.length === 0) return undefined;
    if (this.#turnLeft > 0) {
      this.#turnLeft--;
      const message = this.#readers[this.#turn]!.next();
      if (message !== undefined) return message;
    }
    this.#fetcher.pump();
    for (let i = 1; i <= this.#readers.length; i++) {
      const turn = (this.#turn + i) % this.#readers.length;
      const message = this.#readers[turn]!.next();
      if (message === undefined) continue;
      this.#turn = turn;
      this.#turnLeft = TURN_MESSAGES - 1;
      return message;
    }
    return undefined;
  }

  async #more(arrival: Promise<void>): Promise<void> {
    this.#fetcher.check();
    await Promise.race([this.ready, arrival]); // closing is an arrival too
    this.#fetcher.pump();
    await arrival;
  }

  async #within(ms: number, arrival: Promise<void>): Promise<void> {
    const expired = deferred();
    const cancel = this.#connection.clock.after(ms, expired.resolve);
    await Promise.race([arrival, expired.promise]);
    cancel();
  }

  #select(where: TopicPartition | undefined): PartitionReader[] {
    if (where === undefined) return this.#readers;
    return [this.#mustGet(where.topic, where.partition)];
  }

  #mustGet(topicLike: TopicLike, partition: number): PartitionReader {
    const { name } = asTopic(topicLike);
    const readers = this.#readers.filter((reader) => reader.topic.name === name);
    if (readers.length === 0) {
      const known = this.#topics.some((topic) => topic.name === name);
      throw known
        ? new TypeError(`'${name}' has no partitions here yet: await consumer.ready first`)
        : new TypeError(`this consumer does not read the topic '${name}'`);
    }
    checkPartition(name, partition, readers.length);
    return readers[partition]!;
  }
}

/** Adds what is at hand; `false` where the partition has stopped, which the next read reports. */
function fill(messages: Message[], reader: PartitionReader, max: number): boolean {
  try {
    while (messages.length < max) {
      const message = reader.next();
      if (message === undefined) return true;
      messages.push(message);
    }
    return true;
  } catch {
    return false;
  }
}

function batchOf(reader: PartitionReader, messages: readonly Message[]): MessageBatch {
  const { topic, partition, endOffset } = reader;
  const lastOffset = messages.at(-1)!.offset;
  return {
    topic: topic.name,
    partition,
    messages,
    firstOffset: messages[0]!.offset,
    lastOffset,
    endOffset,
    lag: Math.max(endOffset - lastOffset - 1, 0),
  };
}
