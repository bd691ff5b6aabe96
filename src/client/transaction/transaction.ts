import { checkArray, mistake } from '../../base/argument.ts';
import { TablogError, closed } from '../../base/error.ts';
import { recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import { encodeLater } from '../accumulator/encode-later.ts';
import type { RecordMetadata } from '../accumulator/partition-accumulator.ts';
import { Consumer } from '../consumer/consumer.ts';
import { INTERNALS } from '../consumer/consumer-internals.ts';
import { bindFacade } from '../../base/handle.ts';
import type { OffsetToCommit } from '../consumer/offset-to-commit.ts';
import {
  INVALID_TXN_STATE,
  TRANSACTION_ABORTED,
  TRANSACTION_TOO_LARGE,
} from './transaction-errors.ts';
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
import { withIndex } from '../accumulator/record-index.ts';

/** The result of a stored transaction. */
export interface TransactionResult<R> {
  /** The value that the function returned. */
  readonly result: R;
  /** The place of each stored record, in the order of the calls of `send`. */
  readonly placements: readonly RecordMetadata[];
}

export interface TransactionContext {
  /** The name of the producer's log. A consumer of another log is refused. */
  readonly log: string;
  /** The most bytes of all records together. */
  readonly maxBytes: number;
  /** The timestamp of records that have none, in milliseconds since 1970. */
  readonly now: () => number;
}

/** A record of a transaction, which cannot have an `expectedOffset`. */
export type TransactionRecord<T extends TopicLike> = Omit<
  ProducerRecord<KeyInput<T>, ValueInput<T>>,
  'expectedOffset'
>;

/** A record of a transaction, encoded, with the name of its topic. */
export interface SentRecord {
  readonly topic: string;
  readonly record: OutgoingRecord;
}

interface Sent {
  readonly topic: string;
  /** `undefined`: a serde of the record waits. */
  record: OutgoingRecord | undefined;
}

/**
 * Records and offsets that are stored together, or not at all. `producer.transaction` passes a
 * transaction to its function. No record and no offset leaves the tab before that function has
 * returned.
 */
export class Transaction {
  readonly #options: TransactionContext;
  readonly #ending = new AbortController();
  readonly #sent: Sent[] = [];
  /** The records whose serdes wait; each promise resolves when its record is encoded. */
  readonly #unencoded = new Map<Sent, Promise<void>>();
  #hasReturned = false;
  /**
   * The offsets to commit of each consumer. The key is the member, because an application may have
   * several Proxies of one consumer.
   */
  readonly #offsets = new Map<string, readonly TransactionOffset[]>();
  #bytes = 0;
  /** The reason why the transaction is not stored. */
  #failure: unknown;

  constructor(options: TransactionContext) {
    bindFacade(this);
    this.#options = options;
  }

  /**
   * Aborts when the transaction takes no more records and offsets. Either the function has returned
   * and the transaction is about to be stored, or the transaction was aborted, has timed out, or
   * its producer closes.
   */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * Adds a record. Throws a `TypeError` or `RangeError` for a record that cannot be encoded or has
   * an `expectedOffset`, and a `TablogError`: `TRANSACTION_TOO_LARGE`; `INVALID_TXN_STATE` when the
   * transaction is over.
   *
   * The rules of the topic are checked when the function has returned, and an error rejects
   * `transaction()`: `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, `INVALID_RECORD`, `TOPIC_IN_MEMORY`, a
   * `RangeError` for the partition. The same holds for a serde that waits for a promise: `SERDE`
   * where the promise rejects.
   */
  send<T extends TopicLike>(topic: T, record: TransactionRecord<T>): void {
    this.#mustBeOpen('send()', arguments[2]);
    const known = asTopic(topic);
    const now = this.#options.now();
    const encode = (): RecordParts => encodeRecord(known, record, now);
    const { expectedOffset } = record as Partial<ProducerRecord<unknown, unknown>>;
    if (expectedOffset !== undefined) {
      const rule = 'a record of a transaction has no expectedOffset: send it with producer.send()';
      throw mistake(rule, expectedOffset);
    }
    const { partition } = record;
    try {
      this.#sent.push({ topic: known.name, record: this.#counted(encode(), partition) });
    } catch (wait) {
      if (!(wait instanceof SerdeWait)) throw wait;
      const sent: Sent = { topic: known.name, record: undefined };
      this.#sent.push(sent);
      const encoded = encodeLater(wait, encode).then((parts) => {
        if (this.#unencoded.has(sent)) sent.record = this.#counted(parts, partition);
      });
      encoded.catch(() => {}); // awaited at the end
      this.#unencoded.set(sent, encoded);
    }
  }

  /** Adds several records, all or none. Throws as `send` does. */
  sendBatch<T extends TopicLike>(topic: T, records: readonly TransactionRecord<T>[]): void {
    this.#mustBeOpen('sendBatch()', arguments[2]);
    checkArray('sendBatch() takes an array of records', records);
    const before = { bytes: this.#bytes, sent: this.#sent.length };
    let i = 0;
    try {
      for (; i < records.length; i++) this.send(topic, records[i]!);
    } catch (error) {
      this.#bytes = before.bytes;
      for (const sent of this.#sent.splice(before.sent)) this.#unencoded.delete(sent);
      throw withIndex(error, i, records.length);
    }
  }

  /**
   * Commits offsets of a consumer in this transaction (Kafka's `sendOffsetsToTransaction`): those
   * in `offsets`, each the offset of the next record to read, or by default the offsets after all
   * delivered messages, the message or batch in hand included. Where the group has moved a
   * partition to another member meanwhile, the transaction fails with `FENCED` and nothing is
   * stored.
   *
   * Name the offsets where several messages are in hand, as under `run()` with a `concurrency`:
   * there the call without `offsets` throws a `TypeError`. A handler of batches has one batch of a
   * partition at a time, and names the offset after the batch. Of several offsets of one partition
   * the highest is committed. An offset that passes over a message in hand is refused, because the
   * message would be lost if the tab died; the offset is allowed where another offset names that
   * message. A committed offset decreases after a seek only. A seek after the call drops the call's
   * offsets of that partition.
   *
   * Use `commit: 'manual'`, so that nothing but the transaction commits. Await each transaction,
   * and let its error leave the loop or handler: the message is then delivered again. Where the
   * application catches the error instead, the next commit passes over the message.
   *
   * Throws a `TypeError` for a consumer without a group or of another log, a `RangeError` for an
   * offset beyond the next message, `NOT_ASSIGNED` for a partition that the consumer does not have,
   * `FENCED` for a partition that was taken away with messages in hand, `CLOSED`, and
   * `INVALID_TXN_STATE`.
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

  /**
   * Aborts the transaction: nothing is stored, and `producer.transaction` rejects with
   * `TRANSACTION_ABORTED`.
   */
  abort(): void {
    this.#mustBeOpen('abort()');
    Transaction.end(this, new TablogError(TRANSACTION_ABORTED, 'abort() was called'));
  }

  /** The record with its bytes counted towards `maxBytes`. Throws `TRANSACTION_TOO_LARGE`. */
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
      // `options` would have no effect, and the caller would not notice.
      throw mistake(`tx.${what} takes no options, unlike producer.${what}`, options);
    }
    if (!this.#hasReturned && !this.signal.aborted) return;
    throw new TablogError(INVALID_TXN_STATE, `${what} was called after the transaction had ended`, {
      cause: this.#failure,
    });
  }

  /**
   * Ends the transaction: no more records and offsets can be added. `reason`: why the transaction
   * is not stored; `undefined`: it is stored.
   * @internal
   */
  static end(transaction: Transaction, reason?: unknown): void {
    transaction.#failure = reason;
    transaction.#ending.abort(reason);
  }

  /**
   * Notes that the function has returned. Resolves when all records are encoded; `undefined`: all
   * records are encoded already. Rejects with `SERDE`.
   * @internal
   */
  static encoded(transaction: Transaction): Promise<unknown> | undefined {
    transaction.#hasReturned = true;
    const unencoded = [...transaction.#unencoded.values()];
    return unencoded.length === 0 ? undefined : Promise.all(unencoded);
  }

  /**
   * The records and offsets to store. All records must be encoded.
   * @internal
   */
  static contentOf(transaction: Transaction): {
    readonly sent: readonly SentRecord[];
    /** The offsets of each consumer. */
    readonly offsets: readonly (readonly TransactionOffset[])[];
  } {
    return { sent: transaction.#sent as SentRecord[], offsets: [...transaction.#offsets.values()] };
  }
}
