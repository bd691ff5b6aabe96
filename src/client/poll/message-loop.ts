import { within } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { isLogDeleted } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import { Undecodable } from '../message/decode-record.ts';
import type { DecodeErrorPolicy } from './decode-errors.ts';
import { lazyDecodeErrors } from './lazy-decode-errors.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import type { Handed } from '../message/partition-progress.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import { batchOf, fill } from './message-batch.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import { RoundRobin } from './round-robin.ts';
import type { PolledRecord } from './round-robin.ts';

export interface MessageLoopOptions {
  readonly readers: AssignedPartitions;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  /**
   * Aborts when the consumer closes. The reason is `CLOSED` with `details.reason` 'deleted' where
   * the log was deleted.
   */
  readonly closing: AbortSignal;
  /** Settles when there are partitions to read. */
  readonly ready: () => Promise<void>;
  readonly mayDeliver: () => boolean;
  readonly decodeErrors: DecodeErrorPolicy;
  /** Whether what is processed is committed without a word of the application. */
  readonly commitsItself: boolean;
}

/** Kafka's `max.poll.records`: also how many messages one partition gets before the next one's turn. */
export const MAX_POLL_RECORDS: number = 500;

/** What was handed to a loop, until it asks for more. */
interface InHand {
  readonly reader: PartitionReader;
  readonly handed: Handed;
  /** The reader's, when it was handed out. */
  readonly epoch: number;
}

/** Hands messages to the loop that reads a consumer: one at a time. */
export class MessageLoop {
  readonly #options: MessageLoopOptions;
  readonly #readers: AssignedPartitions;
  readonly #fetcher: Fetcher;
  readonly #closing: AbortSignal;
  #inHand: InHand | undefined;
  #isRead = false;
  /** Why it can read no more. */
  #end: TablogError | undefined;

  constructor(options: MessageLoopOptions) {
    this.#options = options;
    this.#readers = options.readers;
    this.#fetcher = options.fetcher;
    this.#closing = options.closing;
  }

  /** Asks for more, now that something was taken and there is room. */
  pump(): void {
    this.#fetcher.pump();
  }

  /** Resolves at the next arrival. */
  get arrival(): Promise<void> {
    return this.#fetcher.arrival;
  }

  /** How many fetches were answered, whatever with. */
  get answers(): number {
    return this.#fetcher.answers;
  }

  /** Whether messages may be handed out now. */
  get mayDeliver(): boolean {
    return this.#options.mayDeliver();
  }

  /** Nothing more can be read: whoever reads gets `error`. */
  end(error: TablogError): void {
    this.#end = error;
    this.#fetcher.wake();
  }

  /** Begins to read; returns how to stop. Throws a `TypeError` where somebody does already. */
  enter(): () => void {
    if (this.#isRead) {
      throw new TypeError('a consumer is read by one loop at a time: make another consumer');
    }
    this.#isRead = true;
    this.#fetcher.start();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#abandon();
      // Where the application commits, what was handed out still counts, and that it was lost, too.
      if (this.#options.commitsItself) this.#readers.lost = [];
      this.#isRead = false;
      this.#fetcher.stop();
    };
  }

  messages(): AsyncIterator<Message, undefined, undefined> {
    const leave = this.enter();
    const turns = new RoundRobin(this.#readers.all, MAX_POLL_RECORDS);
    let ended = false;
    const end = (): { done: true; value: undefined } => {
      if (!ended) leave();
      ended = true;
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        try {
          this.#finish();
          for (;;) {
            if (ended) return end();
            if (this.#closing.aborted) {
              throwIfDeleted(this.#closing);
              return end();
            }
            const { arrival } = this;
            const delivery = this.poll(turns);
            if (delivery !== undefined) {
              const { message, reader } = delivery;
              if (message instanceof Undecodable) {
                await this.#passUndecodable(reader, message);
                continue;
              }
              this.#handOut(reader, message.offset, message.offset + 1);
              return { done: false, value: message };
            }
            await this.more(arrival);
          }
        } catch (error) {
          end();
          throw error;
        }
      },
      return: () => Promise.resolve(end()),
    };
  }

  async *batches(max: number, maxWaitMs: number): AsyncGenerator<MessageBatch, void, undefined> {
    const leave = this.enter();
    const turns = new RoundRobin(this.#readers.all, 1); // each batch is another partition's turn
    try {
      while (!this.#closing.aborted) {
        const { arrival } = this;
        const delivery = this.poll(turns);
        if (delivery === undefined) {
          await this.more(arrival);
          continue;
        }
        const { reader, message: first } = delivery;
        if (first instanceof Undecodable) {
          await this.#passUndecodable(reader, first);
          continue;
        }
        const messages = await this.#gather(reader, first, max, maxWaitMs);
        this.#fetcher.pump();
        // What is given up, by a rebalance or by closing, is for others to read.
        const isGivenUp = reader.stopped || (reader.progress && this.#closing.aborted);
        if (messages.length === 0 || isGivenUp) continue;
        this.#handOut(reader, first.offset, messages.at(-1)!.offset + 1);
        yield batchOf(reader, messages, this.#closing);
        this.#finish();
      }
      throwIfDeleted(this.#closing);
    } finally {
      leave();
    }
  }

  /** Settles an undecodable record and goes past it; on an error the record stays the next one. */
  async #passUndecodable(reader: PartitionReader, undecodable: Undecodable): Promise<void> {
    const { decodeErrors } = this.#options;
    reader.putBack(); // the next one still, until its action is done
    if (decodeErrors.onDecodeError === 'fail') throw undecodable.error;
    const { epoch } = reader;
    const closing = this.#closing;
    const { settleUndecodable } = await lazyDecodeErrors.load();
    const settled = settleUndecodable({ reader, undecodable, epoch, closing }, decodeErrors);
    // The application's function may take as long as it likes, and closing does not wait for it.
    const closed = deferred();
    const close = (): void => closed.resolve();
    closing.addEventListener('abort', close);
    if (closing.aborted) close();
    try {
      await Promise.race([settled, closed.promise]);
    } finally {
      closing.removeEventListener('abort', close);
    }
  }

  /** Messages of one partition, `first` and what follows it; none where it is not to be read now. */
  async #gather(
    reader: PartitionReader,
    first: Message,
    max: number,
    maxWaitMs: number,
  ): Promise<Message[]> {
    const { epoch } = reader;
    const messages = [first];
    const until = this.#options.clock.now() + maxWaitMs;
    for (;;) {
      const { arrival } = this;
      const goesOn = fill(messages, reader, max);
      const left = until - this.#options.clock.now();
      if (!goesOn || messages.length >= max || left <= 0 || this.#closing.aborted) {
        return messages;
      }
      this.#fetcher.pump();
      await within(this.#options.clock, left, arrival);
      if (reader.epoch !== epoch || reader.stopped) return [];
      if (reader.paused || !this.mayDeliver) {
        reader.seek(first.offset); // they will be read when it goes on
        return [];
      }
    }
  }

  /** The next message in turn, of a reader that `accepts`; `undefined`: there is none now. */
  poll(
    turns: RoundRobin,
    accepts?: (reader: PartitionReader) => boolean,
  ): PolledRecord | undefined {
    if (!this.mayDeliver) return undefined;
    const delivery = turns.poll(accepts);
    if (turns.isPassing) this.#fetcher.pump();
    return delivery;
  }

  #handOut(reader: PartitionReader, offset: number, next: number): void {
    const handed = reader.progress?.begin(offset, next);
    if (handed !== undefined) this.#inHand = { reader, handed, epoch: reader.epoch };
  }

  /** The loop asks for more: it has done with what it had. */
  #finish(): void {
    const inHand = this.#inHand;
    if (inHand === undefined) return;
    this.#inHand = undefined;
    inHand.reader.progress!.end(inHand.handed, 'processed');
  }

  /** The loop is left: what it had in hand comes again, unless it was committed. */
  #abandon(): void {
    const inHand = this.#inHand;
    if (inHand === undefined) return;
    this.#inHand = undefined;
    const { reader, handed, epoch } = inHand;
    const isDone = !this.#options.commitsItself || reader.progress!.committed >= handed.next;
    reader.progress!.end(handed, isDone ? 'processed' : 'dropped');
    if (!isDone) reader.rewind(epoch, Math.max(handed.offset, reader.progress!.committed));
  }

  /** Resolves when there may be more. Throws why there will not be. */
  async more(arrival: Promise<void>): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    this.#fetcher.check();
    await Promise.race([this.#options.ready(), arrival]); // closing is an arrival too
    this.#fetcher.pump();
    await arrival;
  }
}

/**
 * Throws where the consumer ended because its log was deleted; a loop of a closed consumer just
 * ends.
 */
export function throwIfDeleted({ reason }: AbortSignal): void {
  if (isLogDeleted(reason)) throw reason;
}
