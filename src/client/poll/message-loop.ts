import { within } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { Turns, nextTurn } from '../../platform/turns.ts';
import { isLogDeleted } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import { Undecodable } from '../message/decode-record.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { DecodeErrorPolicy } from './decode-errors.ts';
import { InFlight } from './in-flight.ts';
import { lazyDecodeErrors } from './lazy-decode-errors.ts';
import { batchOf, fill } from './message-batch.ts';
import type { Handling } from '../status/status-observer.ts';
import { RoundRobin } from './round-robin.ts';
import type { Polled } from './round-robin.ts';

export interface MessageLoopOptions {
  readonly readers: AssignedPartitions;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  /**
   * Aborts when the consumer closes. The reason is `CLOSED` with `details.reason` 'deleted' where
   * the log was deleted.
   */
  readonly closing: AbortSignal;
  /** Resolves when there are partitions to read. */
  readonly ready: () => Promise<void>;
  /** Whether messages may be delivered to the application now. */
  readonly mayDeliver: () => boolean;
  readonly decodeErrors: DecodeErrorPolicy;
  /** Whether the consumer commits processed messages by itself. */
  readonly commitsItself: boolean;
  /**
   * Called when the application gets a message or batch; `undefined` where nobody listens to
   * `log.status()`.
   */
  readonly handling: (reader: PartitionReader, offset: number) => Handling | undefined;
  /** Called with true when a loop begins, and with false when one has ended with an error. */
  readonly onPolling: (isPolling: boolean) => void;
}

/**
 * The default of Kafka's `max.poll.records`: the default size of a batch, and the number of
 * messages of one partition before the next partition's turn.
 */
export const MAX_POLL_RECORDS: number = 500;
/** After how many polls the clock is looked at, whose look costs a share of a poll. */
const POLLS_A_LOOK = 16;

/**
 * The read loop of a consumer. Delivers messages or batches to the application; `run()` and
 * `table()` poll the loop themselves.
 */
export class MessageLoop {
  readonly #options: MessageLoopOptions;
  readonly #readers: AssignedPartitions;
  readonly #fetcher: Fetcher;
  readonly #closing: AbortSignal;
  readonly #inFlight: InFlight;
  readonly #turns = new Turns();
  #polls = 0;
  /** Whether a loop is running. */
  #isEntered = false;
  /** The error that ended the consumer. Every later loop gets the error too. */
  #end: TablogError | undefined;

  constructor(options: MessageLoopOptions) {
    this.#options = options;
    this.#readers = options.readers;
    this.#fetcher = options.fetcher;
    this.#closing = options.closing;
    this.#inFlight = new InFlight(options.handling);
  }

  /** Fetches more, after a poll has made room in the buffers. */
  pump(): void {
    this.#fetcher.pump();
  }

  /**
   * Resolves at the next arrival. To be read before a poll: an arrival in between would be missed.
   */
  get arrival(): Promise<void> {
    return this.#fetcher.arrival;
  }

  /** The number of answered fetches. */
  get answers(): number {
    return this.#fetcher.answers;
  }

  /** Whether messages may be delivered now. */
  get mayDeliver(): boolean {
    return this.#options.mayDeliver();
  }

  /** Ends the consumer: its loop throws `error`. */
  end(error: TablogError): void {
    this.#end = error;
    this.#fetcher.wake();
  }

  /**
   * Begins a loop, and returns the function that ends it, to be called with true after an error.
   * Throws a `TypeError` while another loop is running.
   */
  enter(): (hasFailed?: boolean) => void {
    if (this.#isEntered) {
      throw new TypeError('a consumer is read by one loop at a time: make another consumer');
    }
    this.#isEntered = true;
    this.#fetcher.start();
    this.#options.onPolling(true);
    let hasLeft = false;
    return (hasFailed = false) => {
      if (hasLeft) return;
      hasLeft = true;
      if (hasFailed) this.#options.onPolling(false);
      const { commitsItself } = this.#options;
      this.#inFlight.abandon(commitsItself);
      // Where the application commits, a later transaction still has to notice a lost partition.
      if (commitsItself) this.#readers.forgetLost();
      this.#isEntered = false;
      this.#fetcher.stop();
      this.#fetcher.wake(); // ends a `next()` that waits without a fetch in flight
    };
  }

  /** The next message, of a reader that `accepts`; `undefined` where none is buffered. */
  poll<T>(
    roundRobin: RoundRobin<T>,
    accepts?: (reader: PartitionReader) => boolean,
  ): Polled<T> | undefined {
    if (!this.mayDeliver) return undefined;
    const polled = roundRobin.poll(accepts);
    if (roundRobin.isTurnOver) this.#fetcher.pump();
    return polled;
  }

  /**
   * Whether the application is to have a turn before the next poll: buffers can hold what takes
   * seconds to process, and nothing else in the loop waits for an event.
   */
  get isTurnOver(): boolean {
    return ++this.#polls % POLLS_A_LOOK === 0 && this.#turns.isOver;
  }

  /**
   * Resolves when there may be more to poll. Throws the error that keeps the consumer from reading.
   */
  async more(arrival: Promise<void>): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    this.#fetcher.check();
    await Promise.race([this.#options.ready(), arrival]); // close() wakes the fetcher
    this.#fetcher.pump();
    await arrival;
  }

  /** Notes that `run()` calls a handler; `undefined` where nobody listens to `log.status()`. */
  handling(reader: PartitionReader, offset: number): Handling | undefined {
    return this.#options.handling(reader, offset);
  }

  /** Notes a delivery of the records from `offset` up to, and without, `next`. */
  deliver(reader: PartitionReader, offset: number, next: number): void {
    this.#inFlight.begin(reader, offset, next);
  }

  /** Finishes the last delivery, because the application asks for more. */
  finish(): void {
    this.#inFlight.finish();
  }

  messages(): AsyncIterator<Message, undefined, undefined> {
    const leave = this.enter();
    const roundRobin = new RoundRobin(this.#readers.all, MAX_POLL_RECORDS);
    let ended = false;
    const end = (hasFailed = false): { done: true; value: undefined } => {
      ended = true;
      leave(hasFailed);
      return { done: true, value: undefined };
    };
    const canContinue = (): boolean => !ended && !this.#closing.aborted;
    return {
      next: async () => {
        try {
          this.finish();
          while (canContinue()) {
            if (this.isTurnOver) {
              await nextTurn();
              continue;
            }
            const { arrival } = this;
            const polled = this.poll(roundRobin);
            if (polled === undefined) {
              await this.more(arrival);
              continue;
            }
            const { message, reader } = polled;
            if (message instanceof Undecodable) {
              await this.#settle(reader, message);
              continue;
            }
            this.deliver(reader, message.offset, message.offset + 1);
            return { done: false, value: message };
          }
          if (!ended) throwIfDeleted(this.#closing);
          return end();
        } catch (error) {
          end(true);
          throw error;
        }
      },
      return: () => Promise.resolve(end()),
    };
  }

  async *batches(max: number, maxWaitMs: number): AsyncGenerator<MessageBatch, void, undefined> {
    const leave = this.enter();
    // A turn is one message, so the next batch is from the next partition.
    const roundRobin = new RoundRobin(this.#readers.all, 1);
    try {
      while (!this.#closing.aborted) {
        const { arrival } = this;
        const polled = this.poll(roundRobin);
        if (polled === undefined) {
          await this.more(arrival);
          continue;
        }
        const { reader, message: first } = polled;
        if (first instanceof Undecodable) {
          await this.#settle(reader, first);
          continue;
        }
        const messages = await this.#collect(reader, first, max, maxWaitMs);
        this.#fetcher.pump();
        // A partition that is given up, by a rebalance or by closing, is read again by its next
        // owner.
        const isGivenUp = !reader.state.delivers || (reader.progress && this.#closing.aborted);
        if (messages.length === 0 || isGivenUp) continue;
        this.deliver(reader, first.offset, messages.at(-1)!.offset + 1);
        yield batchOf(reader, messages, this.#closing);
        this.finish();
        if (this.#turns.isOver) await nextTurn();
      }
      throwIfDeleted(this.#closing);
    } catch (error) {
      leave(true);
      throw error;
    } finally {
      leave();
    }
  }

  /**
   * Settles an undecodable record, and moves past it. After an error the record stays the next one.
   */
  async #settle(reader: PartitionReader, undecodable: Undecodable): Promise<void> {
    const { decodeErrors } = this.#options;
    reader.putBack(); // settle() passes it
    if (decodeErrors.onDecodeError === 'fail') throw undecodable.error;
    const { seekVersion } = reader.state;
    const closing = this.#closing;
    const { settleUnlessClosed } = await lazyDecodeErrors.load();
    await settleUnlessClosed({ reader, undecodable, seekVersion, closing }, decodeErrors);
  }

  /**
   * `first` and the messages after it, of one partition; empty where the partition may not be read
   * any more.
   */
  async #collect(
    reader: PartitionReader,
    first: Message,
    max: number,
    maxWaitMs: number,
  ): Promise<Message[]> {
    const { clock } = this.#options;
    const { seekVersion } = reader.state;
    const messages = [first];
    const until = clock.now() + maxWaitMs;
    for (;;) {
      const { arrival } = this;
      const canFill = fill(messages, reader, max);
      const left = until - clock.now();
      if (!canFill || messages.length >= max || left <= 0 || this.#closing.aborted) {
        return messages;
      }
      this.#fetcher.pump();
      await within(clock, left, arrival);
      if (!reader.state.isCurrent(seekVersion)) return [];
      if (reader.isPaused || !this.mayDeliver) {
        reader.seek(first.offset); // polled again after resume
        return [];
      }
    }
  }
}

/**
 * Throws where the consumer closed because its log was deleted. After any other close a loop ends
 * without an error.
 */
export function throwIfDeleted({ reason }: AbortSignal): void {
  if (isLogDeleted(reason)) throw reason;
}
