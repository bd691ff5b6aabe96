import {
  checkArray,
  checkFunction,
  checkInteger,
  checkNoOptions,
  withDefaults,
} from '../../base/argument.ts';
import { Closable, bindFacade } from '../../base/handle.ts';
import { TablogError, closed } from '../../base/error.ts';
import { randomProducerId } from '../../platform/random-id.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { RecordMetadata, Sink } from '../accumulator/partition-accumulator.ts';
import { Admission, asError } from './admission.ts';
import type { Connection } from '../connection/connection.ts';
import { checkProducerOptions } from '../accumulator/producer-options.ts';
import type { CheckedProducerOptions, ProducerOptions } from '../accumulator/producer-options.ts';
import { encodeRecord } from '../accumulator/record-encoder.ts';
import type { ProducerRecord } from '../accumulator/record-encoder.ts';
import { Sender } from './sender.ts';
import { asTopic } from '../topics/topic.ts';
import type { KeyInput, TopicLike, ValueInput } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { TopicAccumulator, outgoing } from '../accumulator/topic-accumulator.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';
import type { Transaction, TransactionResult } from '../transaction/transaction.ts';
import type { TransactionManager } from '../transaction/transaction-manager.ts';
import { lazyTransactionManager } from '../transaction/lazy-transaction-manager.ts';

export interface SendOptions {
  /**
   * The offset that the record is to get: where the partition has moved on, it is not stored and
   * `send` rejects with `CONFLICT` (optimistic concurrency). Needs a key or a partition.
   */
  readonly expectedOffset?: number;
}

/**
 * Writes records. Made by `log.producer()`; close it, or the log, when done.
 *
 * A record is encoded at the call, into the batch of its partition; batches travel to the worker
 * and into one transaction. The promise of `send` resolves when that transaction has completed.
 */
export class Producer extends Closable {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;
  readonly #options: CheckedProducerOptions;
  readonly #onClosed: () => void;
  readonly #random: () => number;
  readonly #writers = new Map<string, TopicAccumulator>();
  readonly #closing = new AbortController();
  readonly #closed = new AbortController();
  readonly #admission: Admission;
  readonly #sender: Sender;
  #bufferedBytes = 0;
  #drainQueued = false;
  #transactionManager: TransactionManager | undefined;
  /** Of an idempotent producer. */
  readonly #producerId: number | undefined;

  constructor(
    connection: Connection,
    topicMetadata: TopicMetadata,
    options: ProducerOptions,
    onClosed: () => void,
    random: () => number = Math.random,
  ) {
    super();
    bindFacade(this);
    this.#onClosed = onClosed;
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
    this.#options = checkProducerOptions(options);
    this.#producerId = this.#options.idempotent ? randomProducerId() : undefined;
    this.#random = random;
    const sender = new Sender(connection, this.#options, random, (batch, result) => {
      if (result instanceof TablogError && result.code === 'UNKNOWN_TOPIC') topicMetadata.forget();
      this.#bufferedBytes -= batch.byteLength;
    });
    this.#sender = sender;
    const { idempotent, deliveryTimeoutMs, bufferBytes } = this.#options;
    const hasRoom = (): boolean => this.#bufferedBytes < bufferBytes;
    this.#admission = new Admission({
      connection,
      topicMetadata,
      patienceMs: idempotent ? deliveryTimeoutMs : 0,
      buffer: {
        get hasRoom() {
          return hasRoom();
        },
        roomMade: () => sender.someSettled(),
        accepts: (topic, records) => {
          const writer = this.#writerOf(topic);
          return records.every((record) => writer.accepts(record));
        },
        add: (topic, records, sink) => this.#buffer(topic, records, sink),
        admittedAll: () => sender.drain('due'),
      },
    });
    const leave = (): void => {
      this.#admission.leave();
      sender.drain('all');
    };
    connection.page.onLeave(leave, this.#closed.signal);
  }

  /**
   * Sends one record; resolves with its place when it is stored. A record sent as the page is
   * hidden or left, as in a listener of `pagehide`, is posted to a SharedWorker in that same turn.
   * A worker of the tab's own, or `inline()`, may end with the page before the record is stored.
   *
   * Rejects with a `TypeError` or `RangeError` for a record that breaks a rule, and with a
   * `TablogError`: `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, `STORAGE_FULL`, `CONFLICT`, `CLOSED`,
   * `WORKER_FAILED` where no worker could be started, or `OUTCOME_UNKNOWN` when the worker died on
   * the way. The last two come after `deliveryTimeoutMs`; at once, if the producer is not
   * idempotent. A record that fails leaves others alone.
   */
  send<T extends TopicLike>(
    topic: T,
    record: ProducerRecord<KeyInput<T>, ValueInput<T>>,
    options?: SendOptions,
  ): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      const { name, records } = this.#encode(topic, [record], options);
      this.#admission.accept(name, records, (_index, result) => {
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    });
  }

  /**
   * Sends many records with one promise; resolves with their places, in the order given. Cheaper
   * than as many `send`s. Every record is checked before the first is taken, so a mistake in one
   * sends none; it is not a transaction, and rejects when any record could not be stored.
   */
  sendBatch<T extends TopicLike>(
    topic: T,
    records: readonly ProducerRecord<KeyInput<T>, ValueInput<T>>[],
  ): Promise<RecordMetadata[]> {
    return new Promise((resolve, reject) => {
      checkNoOptions('sendBatch()', arguments[2]);
      checkArray('sendBatch() takes an array of records', records);
      const encoded = this.#encode(topic, records);
      if (records.length === 0) return resolve([]);
      const placements = Array.from<RecordMetadata>({ length: records.length });
      let left = records.length;
      let failure: Error | undefined;
      this.#admission.accept(encoded.name, encoded.records, (index, result) => {
        if (result instanceof Error) failure ??= result;
        else placements[index] = result;
        if (--left > 0) return;
        if (failure === undefined) resolve(placements);
        else reject(failure);
      });
    });
  }

  /**
   * Runs `work`, and stores all that it sends and commits in one transaction of the store: all of it,
   * or nothing when `work` throws, when it calls `abort()`, or when it takes longer than
   * `transactionTimeoutMs`. Resolves when it is stored, with what `work` returned and the place of
   * each record. Nothing is sent while `work` runs, so several may run side by side.
   *
   * Rejects with what `work` throws, and with a `TablogError`: `TRANSACTION_ABORTED`,
   * `TRANSACTION_TIMED_OUT`; `FENCED` where a partition was taken from a consumer, or the
   * transactional id from this producer; what `send` rejects with. Nothing is stored then, but for
   * `OUTCOME_UNKNOWN`.
   *
   * What `work` does otherwise is not part of it: `producer.send` stores by itself, and so does another
   * `transaction`.
   */
  async transaction<R>(
    work: (transaction: Transaction) => R | PromiseLike<R>,
  ): Promise<TransactionResult<R>> {
    checkFunction('transaction() takes a function', work);
    const closing = this.#closing.signal;
    const { TransactionManager } = await lazyTransactionManager.load();
    if (closing.aborted) throw closed('producer', this.#connection.closed);
    this.#transactionManager ??= new TransactionManager({
      connection: this.#connection,
      topicMetadata: this.#topicMetadata,
      options: this.#options,
      random: this.#random,
      closing,
    });
    return this.#transactionManager.run(work);
  }

  /** Sends what is buffered, without lingering; resolves when all of it is stored or has failed. */
  async flush(): Promise<void> {
    const admitted = this.#admission.admitted();
    if (admitted !== undefined) await admitted; // otherwise all of it is sealed in this turn
    await this.#sender.flush();
  }

  /** Refuses what comes, and flushes what was sent. Idempotent. */
  override async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.flush(), this.#transactionManager?.idle()]);
    this.#sender.close();
    this.#closed.abort();
    this.#onClosed();
  }

  #encode(
    topicLike: TopicLike,
    records: readonly ProducerRecord<unknown, unknown>[],
    options?: SendOptions,
  ): { name: string; records: OutgoingRecord[] } {
    const topic = asTopic(topicLike);
    if (this.#closing.signal.aborted) throw closed('producer', this.#connection.closed);
    if (this.#options.transactionalId !== undefined) {
      throw new TypeError('a producer with a transactionalId sends within transaction() only');
    }
    const now = this.#connection.clock.now();
    return {
      name: topic.name,
      records: records.map((record) => {
        const parts = encodeRecord(topic, record, now);
        const expected = options === undefined ? null : expectedOffsetOf(options, record);
        return outgoing(parts, record.partition, expected);
      }),
    };
  }

  /** Puts the records into batches. Throws, and takes none, where one breaks the topic's rules. */
  #buffer(topic: TopicInfo, records: readonly OutgoingRecord[], sink: Sink): void {
    const writer = this.#writerOf(topic);
    for (const record of records) writer.check(record);
    let full = false;
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      try {
        const { parts, size, expectedOffset } = record;
        const accumulator = writer.choose(record);
        this.#bufferedBytes +=
          expectedOffset === null
            ? accumulator.add(parts, size, sink, i)
            : accumulator.addAlone(parts, sink, i, expectedOffset);
        this.#sender.add(accumulator);
        full ||= accumulator.hasSealed;
      } catch (error) {
        sink(i, asError(error)); // a custom partitioner's mistake
      }
    }
    if (full) this.#sender.drain('full');
    const { isLeaving } = this.#connection.page;
    if (this.#drainQueued || (this.#admission.isAdmitting && !isLeaving)) return;
    this.#drainQueued = true;
    // Everything that is sent in one turn of the event loop goes into the same batches.
    queueMicrotask(() => {
      this.#drainQueued = false;
      this.#sender.drain('due');
    });
  }

  #writerOf(topic: TopicInfo): TopicAccumulator {
    const { batchBytes, partitioner } = this.#options;
    let writer = this.#writers.get(topic.name);
    if (writer === undefined || writer.topicId !== topic.id) {
      writer = new TopicAccumulator(topic, {
        batchBytes,
        partitioner,
        random: this.#random,
        clock: this.#connection.clock,
        producerId: this.#producerId,
        onSealed: (batch) => this.#sender.sealed(batch),
      });
      this.#writers.set(topic.name, writer);
    } else {
      writer.update(topic);
    }
    return writer;
  }
}

function expectedOffsetOf(
  options: SendOptions,
  { key = null, partition }: ProducerRecord<unknown, unknown>,
): number | null {
  const { expectedOffset } = withDefaults<{ readonly expectedOffset: number | undefined }>(
    'send()',
    options,
    { expectedOffset: undefined },
  );
  if (expectedOffset === undefined) return null;
  checkInteger('expectedOffset', expectedOffset, 0);
  if (partition === undefined && key === null) {
    throw new TypeError('expectedOffset needs a key or a partition: pass partition: 0');
  }
  return expectedOffset;
}
