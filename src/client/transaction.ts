import { checkArray } from '../base/argument.ts';
import {
  CLOSED,
  INVALID_TXN_STATE,
  TRANSACTION_ABORTED,
  TRANSACTION_TOO_LARGE,
} from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { recordBytes } from '../record/batch-writer.ts';
import type { Placement } from './accumulator.ts';
import { Consumer } from './consumer.ts';
import { handedOut } from './held-offsets.ts';
import type { Held } from './held-offsets.ts';
import type { TopicFilter } from './message.ts';
import { encodeRecord } from './record-encoder.ts';
import type { ProducerRecord } from './record-encoder.ts';
import { asTopic } from './topic.ts';
import type { KeyInput, TopicLike, ValueInput } from './topic.ts';
import { outgoing, withOwnBytes } from './topic-writer.ts';
import type { OutgoingRecord } from './topic-writer.ts';

/** What became of a transaction. */
export interface TransactionResult<R> {
  /** What the function returned. */
  readonly result: R;
  /** Where each record was stored, in the order in which they were sent. */
  readonly placements: readonly Placement[];
}

export interface TransactionOptions {
  /** The name of the producer's log. */
  readonly log: string;
  /** Bytes of all records. */
  readonly maxBytes: number;
  /** The time for records without one, in milliseconds since 1970. */
  readonly now: () => number;
}

/** What a transaction is to store of one topic's record. */
export interface SentRecord {
  readonly topic: string;
  readonly record: OutgoingRecord;
}

/**
 * Records and offsets that are stored together, or not at all. Handed to the function that
 * `producer.transaction` runs; nothing leaves the tab before that function has returned.
 */
export class Transaction {
  readonly #options: TransactionOptions;
  readonly #ending = new AbortController();
  readonly #sent: SentRecord[] = [];
  /** What each consumer holds, when it is asked for. */
  readonly #holders = new Map<object, readonly Held[]>();
  #bytes = 0;

  constructor(options: TransactionOptions) {
    this.#options = options;
  }

  /** Aborts when the transaction is over: stored, or aborted, or timed out. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * Adds a record. Throws a `TypeError` or `RangeError` for one that breaks a rule, and a
   * `TablogError`: `TRANSACTION_TOO_LARGE`, `INVALID_TXN_STATE` when the transaction is over.
   */
  send<T extends TopicLike>(topic: T, record: ProducerRecord<KeyInput<T>, ValueInput<T>>): void {
    this.#mustBeOpen('send()');
    const { name, ...serdes } = asTopic(topic);
    const parts = encodeRecord({ name, ...serdes }, record, this.#options.now());
    const bytes = this.#bytes + recordBytes(parts);
    const { maxBytes } = this.#options;
    if (bytes > maxBytes) {
      throw new TablogError(
        TRANSACTION_TOO_LARGE,
        `the records of the transaction would have ${bytes} bytes, and ${maxBytes} are allowed`,
        { details: { bytes, maxBytes } },
      );
    }
    this.#bytes = bytes;
    // The caller may change its bytes after the call.
    this.#sent.push({ topic: name, record: withOwnBytes(outgoing(parts, record.partition)) });
  }

  /** Adds many records; throws as `send` does. */
  sendBatch<T extends TopicLike>(
    topic: T,
    records: readonly ProducerRecord<KeyInput<T>, ValueInput<T>>[],
  ): void {
    checkArray('sendBatch() takes an array of records', records);
    const before = { bytes: this.#bytes, sent: this.#sent.length };
    try {
      for (const record of records) this.send(topic, record);
    } catch (error) {
      this.#bytes = before.bytes;
      this.#sent.length = before.sent;
      throw error;
    }
  }

  /**
   * Commits what the consumer has handed out so far, the message or batch in hand included, in this
   * transaction (Kafka's `sendOffsetsToTransaction`). Where the group has given a partition to
   * another member meanwhile, the transaction fails with `FENCED` and nothing is stored.
   *
   * Throws a `TypeError` for a consumer without a group or of another log, and `CLOSED`,
   * `INVALID_TXN_STATE`.
   */
  commitOffsets<T extends TopicFilter>(consumer: Consumer<T>): void {
    this.#mustBeOpen('commitOffsets()');
    if (!(consumer instanceof Consumer)) {
      throw new TypeError('commitOffsets() takes a consumer');
    }
    if (consumer.group === undefined) {
      throw new TypeError('commitOffsets() needs a consumer with a group');
    }
    const holds = Consumer.holdsOf(consumer, this.#options.log);
    if (holds === undefined) {
      throw new TablogError(CLOSED, 'the consumer is closed');
    }
    this.#holders.set(consumer, handedOut(holds));
  }

  /** Stores nothing: `producer.transaction` rejects with `TRANSACTION_ABORTED`. */
  abort(): void {
    this.#mustBeOpen('abort()');
    Transaction.end(this, new TablogError(TRANSACTION_ABORTED, 'abort() was called'));
  }

  #mustBeOpen(what: string): void {
    if (!this.signal.aborted) return;
    throw new TablogError(INVALID_TXN_STATE, `${what} was called after the transaction had ended`, {
      cause: this.signal.reason,
    });
  }

  /** Nothing more can be added; the reason is why it is not stored. */
  static end(transaction: Transaction, reason: unknown): void {
    transaction.#ending.abort(reason);
  }

  /** What is to be stored. */
  static contentOf(transaction: Transaction): {
    readonly sent: readonly SentRecord[];
    readonly holders: readonly (readonly Held[])[];
  } {
    return { sent: transaction.#sent, holders: [...transaction.#holders.values()] };
  }
}
