import { checkInteger, checkMs, show, withDefaults } from '../base/argument.ts';
import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import { Assignment } from './assignment.ts';
import type { TopicPartition } from './assignment.ts';
import { checkConsumerOptions, checkPosition } from './consumer-options.ts';
import type { ConsumerOptions, Position } from './consumer-options.ts';
import type { Connection } from './connection.ts';
import { Fetcher } from './fetcher.ts';
import type { Message, MessageBatch, MessageOf } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import type { TopicLike } from './topic.ts';
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

/**
 * Reads topics, every partition of them. Made by `log.consumer()`; close it, or the log, when done.
 *
 * It fetches only while somebody reads: leaving a loop stops it, and another loop goes on with the
 * next message.
 */
export class Consumer<T extends TopicLike = TopicLike> implements AsyncIterable<MessageOf<T>> {
  /** Resolves when every partition has its place: what is sent from now on will be read. */
  readonly ready: Promise<void>;
  readonly #clock: Clock;
  readonly #assignment: Assignment;
  readonly #fetcher: Fetcher;
  readonly #closing = new AbortController();
  #turn = 0;
  #turnLeft = TURN_MESSAGES;
  #reading = false;

  constructor(connection: Connection, registry: TopicRegistry, options: ConsumerOptions<T>) {
    const checked = checkConsumerOptions(options);
    this.#clock = connection.clock;
    this.#assignment = new Assignment(connection, registry, checked.topics);
    this.#fetcher = new Fetcher(connection, checked, this.#assignment.readers, () => {
      registry.checkAge();
    });
    this.ready = this.#assignment.start(checked.from, this.#closing.signal, () => {
      this.#fetcher.pump();
      this.#fetcher.wake();
    });
    this.ready.catch(() => {}); // whoever reads gets it too
    const { signal } = checked;
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
        const reader = this.#assignment.readers[this.#turn]!;
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
    const { epoch } = reader;
    const messages = [first];
    const until = this.#clock.now() + maxWaitMs;
    for (;;) {
      const { arrival } = this.#fetcher;
      const goesOn = fill(messages, reader, max);
      const left = until - this.#clock.now();
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
        this.#assignment.mustGet(message.topic, message.partition).seek(message.offset);
        throw error;
      }
    }
  }

  /** The offset of the next message of a partition. */
  position({ topic, partition }: TopicPartition): number {
    return this.#assignment.mustGet(topic, partition).position;
  }

  /**
   * Moves a partition, or all of them, to another place. What was fetched before is dropped; no
   * message from there is delivered any more.
   */
  async seek(to: Position, where?: TopicPartition): Promise<void> {
    checkPosition(to);
    const call = this.#assignment.nextSeek();
    await this.ready;
    await this.#assignment.seek(call, to, where);
    this.#fetcher.interrupt(); // polls that wait at the old place
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /** Stops delivering a partition, or all; what is fetched of it stays. */
  pause(where?: TopicPartition): void {
    this.#assignment.setPaused(true, where);
  }

  resume(where?: TopicPartition): void {
    this.#assignment.setPaused(false, where);
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
    const { readers } = this.#assignment;
    if (this.#turnLeft > 0 && readers.length > 0) {
      this.#turnLeft--;
      const message = readers[this.#turn]!.next();
      if (message !== undefined) return message;
    }
    this.#fetcher.pump();
    this.#turnLeft = 0;
    for (let left = readers.length; left > 0; left--) {
      // Also where it throws: the next look begins with the partition after it.
      this.#turn = (this.#turn + 1) % readers.length;
      const message = readers[this.#turn]!.next();
      if (message === undefined) continue;
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
    const cancel = this.#clock.after(ms, expired.resolve);
    await Promise.race([arrival, expired.promise]);
    cancel();
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
