import { checkArray, mistake } from '../../base/argument.ts';
import {
  INVALID_TXN_STATE,
  TRANSACTION_ABORTED,
  TRANSACTION_TOO_LARGE,
} from '../../base/error-rules.ts';
import { TablogError, closed } from '../../base/error.ts';
import { recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import { encodeLater } from '../accumulator/encode-later.ts';
import type { RecordMetadata } from '../accumulator/partition-accumulator.ts';
import { Consumer } from '../consumer/consumer.ts';
import { INTERNALS } from '../consumer/consumer-internals.ts';
import { bindFacade } from '../../base/handle.ts';
import type { OffsetToCommit } from '../consumer/offset-to-commit.ts';
import { deliveredOffsets, namedOffsets } from './transaction-offsets.ts';
import type { TransactionOffset } from './transaction-offsets.ts';
import type { TopicFilter } from '../message/message.ts';
import { encodeRecord } from '../accumulator/record-encoder.ts';
import type { ProducerRecord } from '../accumulator/record-encoder.ts';
import { SerdeWait } from '../topics/serde-context.ts';
import { asTopic } from '../topics/topic.ts';
import type { KeyInput, TopicLike, ValueInput } from '../topics/topic.ts';
import { outgoing, withOwnBytes } from '../accumulator/topic-accumulator.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';

/** What became of a transaction. */
export interface TransactionResult<R> {
  /** What the function returned. */
  readonly result: R;
  /** Where each record was stored, in the order in which they were sent. */
  readonly placements: readonly RecordMetadata[];
}

export interface TransactionContext {
  /** The name of the producer's log. */
  readonly log: string;
  /** Bytes of all records. */
  readonly maxBytes: number;
  /** The time for records without one, in milliseconds since 1970. */
  readonly now: () => number;
}

/** A record of a transaction, which cannot have an `expectedOffset`. */
export type TransactionRecord<T extends TopicLike> = Omit<
  ProducerRecord<KeyInput<T>, ValueInput<T>>,
  'expectedOffset'
>;

/** What a transaction is to store of one topic's record. */
export interface SentRecord {
  readonly topic: string;
  readonly record: OutgoingRecord;
}

interface Sent {
  readonly topic: string;
  /** `undefined`: its serdes wait. */
  record: OutgoingRecord | undefined;
}

/**
 * Records and offsets that are stored together, or not at all. Handed to the function that
 * `producer.transaction` runs; nothing leaves the tab before that function has returned.
 */
export class Transaction {
  readonly #options: TransactionContext;
  readonly #ending = new AbortController();
  readonly #sent: Sent[] = [];
  /** Records whose serdes wait; each promise resolves when its record is encoded. */
  readonly #unencoded = new Map<Sent, Promise<void>>();
  #hasReturned = false;
  /**
   * The offsets of each consumer, by member, because there may be several Proxies of one consumer.
   */
  readonly #offsets = new Map<string, readonly TransactionOffset[]>();
  #bytes = 0;
  /** Why it is not stored. */
  #failure: unknown;

  constructor(options: TransactionContext) {
    bindFacade(this);
    this.#options = options;
  }

  /**
   * Aborts when nothing can be added any more: the function has returned, and what it sent is about
   * to be stored; or the transaction was aborted, has timed out, or its producer closes.
   */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * Adds a record. Throws a `TypeError` or `RangeError` for one that cannot be encoded or has an
   * `expectedOffset`, and a `TablogError`: `TRANSACTION_TOO_LARGE`, `INVALID_TXN_STATE` when the
   * transaction is over.
   *
   * What the topic has to say is known at the end, and rejects `transaction()`: `UNKNOWN_TOPIC`,
   * `RECORD_TOO_LARGE`, `INVALID_RECORD`, `TOPIC_IN_MEMORY`, a `RangeError` for the partition. So
   * is what becomes of a record whose serde waits for something: `SERDE` where that fails.
   */
  send<T extends TopicLike>(topic: T, record: TransactionRecord<T>): void {
    this.#mustBeOpen('send()', arguments[2]);
    const of = asTopic(topic);
    const now = this.#options.now();
    const encode = (): RecordParts => encodeRecord(of, record, now);
    const { expectedOffset } = record as Partial<ProducerRecord<unknown, unknown>>;
    if (expectedOffset !== undefined) {
      const rule = 'a record of a transaction has no expectedOffset: send it with producer.send()';
      throw mistake(rule, expectedOffset);
    }
    const { partition } = record;
    try {
      this.#sent.push({ topic: of.name, record: this.#counted(encode(), partition) });
    } catch (wait) {
      if (!(wait instanceof SerdeWait)) throw wait;
      const sent: Sent = { topic: of.name, record: undefined };
      this.#sent.push(sent);
      const encoded = encodeLater(wait, encode).then((parts) => {
        if (this.#unencoded.has(sent)) sent.record = this.#counted(parts, partition);
      });
      encoded.catch(() => {}); // awaited at the end
      this.#unencoded.set(sent, encoded);
    }
  }

  /** Adds many records; throws as `send` does. */
  sendBatch<T extends TopicLike>(topic: T, records: readonly TransactionRecord<T>[]): void {
    this.#mustBeOpen('sendBatch()', arguments[2]);
    checkArray('sendBatch() takes an array of records', records);
    const before = { bytes: this.#bytes, sent: this.#sent.length };
    try {
      for (const record of records) this.send(topic, record);
    } catch (error) {
      this.#bytes = before.bytes;
      for (const sent of this.#sent.splice(before.sent)) this.#unencoded.delete(sent);
      throw error;
    }
  }

  /**
   * Commits offsets of a consumer in this transaction (Kafka's `sendOffsetsToTransaction`): those
   * in `offsets`, each the next one to read, or by default everything that the consumer has
   * delivered, the message or batch in hand included. Where the group has given a partition to
   * another member meanwhile, the transaction fails with `FENCED` and nothing is stored.
   *
   * Name the offsets where several messages are in hand, as under `run()` with a `concurrency`:
   * there the call without them throws a `TypeError`. Handlers of batches have one batch of a
   * partition at a time, and name the offset after it. Of several offsets of one partition the
   * highest is committed; one that passes over a message in hand is refused, unless the message is
   * named by an offset of its own, because that message would be lost with the tab. What is
   * committed never goes back, but after a seek. A seek after the call leaves out the offsets of
   * its partition.
   *
   * Use `commit: 'manual'`, so that nothing but the transaction commits. Await each transaction,
   * and let its error leave the loop or handler: the message then comes again. One that is caught
   * there is passed over by the next commit.
   *
   * Throws a `TypeError` for a consumer without a group or of another log, a `RangeError` for an
   * offset beyond the next message, `NOT_ASSIGNED` for a partition that the consumer does not have,
   * `FENCED` for one that was taken away with messages in hand, and `CLOSED`, `INVALID_TXN_STATE`.
   */
  commitOffsets<T extends TopicFilter>(
    consumer: Consumer<T>,
    offsets?: readonly OffsetToCommit[],
  ): void {
    this.#mustBeOpen('commitOffsets()');
    if (!(consumer instanceof Consumer)) {
      throw mistake('commitOffsets() takes a consumer', consumer);
    }
    if (consumer.group === undefined) {
      throw mistake('commitOffsets() needs a consumer with a group', consumer.group);
    }
    const { log } = this.#options;
    const internals = consumer[INTERNALS]();
    const own = internals.connection.log;
    if (own !== log) {
      throw new TypeError(`commitOffsets() needs a consumer of the log '${log}', not '${own}'`);
    }
    if (internals.isClosed) throw closed('consumer');
    const member = `${consumer.group}/${consumer.memberId}`;
    this.#offsets.set(
      member,
      offsets === undefined
        ? deliveredOffsets(internals)
        : namedOffsets(internals, offsets, this.#offsets.get(member)),
    );
  }

  /** Stores nothing: `producer.transaction` rejects with `TRANSACTION_ABORTED`. */
  abort(): void {
    this.#mustBeOpen('abort()');
    Transaction.end(this, new TablogError(TRANSACTION_ABORTED, 'abort() was called'));
  }

  /** The record, on its way; its bytes count. Throws `TRANSACTION_TOO_LARGE`. */
  #counted(parts: RecordParts, partition: number | undefined): OutgoingRecord {
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
    return withOwnBytes(outgoing(parts, partition));
  }

  #mustBeOpen(what: string, options?: unknown): void {
    if (options !== undefined) {
      // It would be ignored without a word.
      throw mistake(`tx.${what} takes no options, unlike producer.${what}`, options);
    }
    if (!this.#hasReturned && !this.signal.aborted) return;
    throw new TablogError(INVALID_TXN_STATE, `${what} was called after the transaction had ended`, {
      cause: this.#failure,
    });
  }

  /**
   * Nothing more can be added; the reason is why it is not stored.
   * @internal
   */
  static end(transaction: Transaction, reason?: unknown): void {
    transaction.#failure = reason;
    transaction.#ending.abort(reason);
  }

  /**
   * The function has returned: resolves when all that it sent is encoded; `undefined` where it is.
   * Rejects with `SERDE`.
   * @internal
   */
  static encoded(transaction: Transaction): Promise<unknown> | undefined {
    transaction.#hasReturned = true;
    const unencoded = [...transaction.#unencoded.values()];
    return unencoded.length === 0 ? undefined : Promise.all(unencoded);
  }

  /**
   * What is to be stored, all of it encoded.
   * @internal
   */
  static contentOf(transaction: Transaction): {
    readonly sent: readonly SentRecord[];
    /** Of each consumer. */
    readonly offsets: readonly (readonly TransactionOffset[])[];
  } {
    return { sent: transaction.#sent as SentRecord[], offsets: [...transaction.#offsets.values()] };
  }
}
