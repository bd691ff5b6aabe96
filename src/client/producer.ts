import {
  checkArray,
  checkFunction,
  checkInteger,
  checkNoOptions,
  withDefaults,
} from '../base/argument.ts';
import { isError } from '../base/brand.ts';
import { Closable } from '../base/closable.ts';
import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { TablogError, closed, toTablogError } from '../base/error.ts';
import { Queue } from '../base/queue.ts';
import { randomProducerId } from '../base/random-id.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import type { Placement, Sink } from './accumulator.ts';
import type { Connection } from './connection.ts';
import { outlive } from './delivery.ts';
import { bindFacade } from './facade.ts';
import { checkProducerOptions } from './producer-options.ts';
import type { CheckedProducerOptions, ProducerOptions } from './producer-options.ts';
import { encodeRecord } from './record-encoder.ts';
import type { ProducerRecord } from './record-encoder.ts';
import { Sender } from './sender.ts';
import { asTopic } from './topic.ts';
import type { KeyInput, TopicLike, ValueInput } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';
import { TopicWriter, outgoing, withOwnBytes } from './topic-writer.ts';
import type { OutgoingRecord } from './topic-writer.ts';
import type { Transaction, TransactionResult } from './transaction.ts';
import type { Transactor } from './transactor.ts';
import { transactorPart } from './transactor-part.ts';

export interface SendOptions {
  /**
   * The offset that the record is to get: where the partition has moved on, it is not stored and
   * `send` rejects with `CONFLICT` (optimistic concurrency). Needs a key or a partition.
   */
  readonly expectedOffset?: number;
}

/** Records that wait for their topic to be known, or for room. */
interface Waiting {
  readonly name: string;
  readonly records: readonly OutgoingRecord[];
  readonly sink: Sink;
  /** For a `flush` that waits for them. */
  admitted: Deferred | undefined;
}

/**
 * Writes records. Made by `log.producer()`; close it, or the log, when done.
 *
 * A record is encoded at the call, into the batch of its partition; batches travel to the worker
 * and into one transaction. The promise of `send` resolves when that transaction has completed.
 */
export class Producer extends Closable {
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;
  readonly #options: CheckedProducerOptions;
  readonly #onClosed: () => void;
  readonly #random: () => number;
  readonly #writers = new Map<string, TopicWriter>();
  readonly #closing = new AbortController();
  readonly #closed = new AbortController();
  readonly #waiting = new Queue<Waiting>();
  readonly #sender: Sender;
  #bufferedBytes = 0;
  #admitting = false;
  #drainQueued = false;
  #transactor: Transactor | undefined;
  /** Of an idempotent producer. */
  readonly #producerId: number | undefined;

  constructor(
    connection: Connection,
    registry: TopicRegistry,
    options: ProducerOptions,
    onClosed: () => void,
    random: () => number = Math.random,
  ) {
    super();
    bindFacade(this);
    this.#onClosed = onClosed;
    this.#connection = connection;
    this.#registry = registry;
    this.#options = checkProducerOptions(options);
    this.#producerId = this.#options.idempotent ? randomProducerId() : undefined;
    this.#random = random;
    const sender = new Sender(connection, this.#options, random, (batch, result) => {
      if (result instanceof TablogError && result.code === 'UNKNOWN_TOPIC') registry.forget();
      this.#bufferedBytes -= batch.byteLength;
    });
    this.#sender = sender;
    connection.page.onLeave(() => this.#leave(), this.#closed.signal);
  }

  /**
   * Sends one record; resolves with its place when it is stored. Called as the page is hidden or left,
   * as in a listener of `pagehide`, it posts the record to a SharedWorker in that same turn; a worker of
   * the tab's own, or `inline()`, may end with the page before it has stored that.
   *
   * Rejects with a `TypeError` or `RangeError` for a record that breaks a rule, and with a
   * `TablogError`: `UNKNOWN_TOPIC`, `RECORD_TOO_LARGE`, `STORAGE_FULL`, `CONFLICT`, `CLOSED`,
   * `WORKER_FAILED` where no worker could be started, or `OUTCOME_UNKNOWN` when the worker died on the
   * way: these two at once if the producer is not idempotent, else after `deliveryTimeoutMs`. One record
   * that fails leaves others alone.
   */
  send<T extends TopicLike>(
    topic: T,
    record: ProducerRecord<KeyInput<T>, ValueInput<T>>,
    options?: SendOptions,
  ): Promise<Placement> {
    return new Promise((resolve, reject) => {
      const { name, records } = this.#encode(topic, [record], options);
      this.#accept(name, records, (_index, result) => {
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
  ): Promise<Placement[]> {
    return new Promise((resolve, reject) => {
      checkNoOptions('sendBatch()', arguments[2]);
      checkArray('sendBatch() takes an array of records', records);
      const encoded = this.#encode(topic, records);
      if (records.length === 0) return resolve([]);
      const placements = Array.from<Placement>({ length: records.length });
      let left = records.length;
      let failure: Error | undefined;
      this.#accept(encoded.name, encoded.records, (index, result) => {
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
    const { Transactor } = await transactorPart.load();
    if (closing.aborted) throw closed('producer', this.#connection.closed);
    this.#transactor ??= new Transactor({
      connection: this.#connection,
      registry: this.#registry,
      options: this.#options,
      random: this.#random,
      closing,
    });
    return this.#transactor.run(work);
  }

  /** Sends what is buffered, without lingering; resolves when all of it is stored or has failed. */
  async flush(): Promise<void> {
    const { last } = this.#waiting;
    if (last !== undefined) await (last.admitted ??= deferred()).promise;
    await this.#sender.flush();
  }

  /** Refuses what comes, and flushes what was sent. Idempotent. */
  override async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.flush(), this.#transactor?.idle()]);
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

  /** Buffers the records, or has them wait behind those that do. */
  #accept(name: string, records: readonly OutgoingRecord[], sink: Sink): void {
    const { isLeaving } = this.#connection.page;
    // While the page leaves, only records of topics that nobody knows are waiting.
    const topic = isLeaving ? this.#registry.lastKnown(name) : this.#registry.get(name);
    const mayPass = isLeaving || (!this.#admitting && this.#hasRoom);
    if (topic !== undefined && mayPass && (isLeaving || this.#mayTake(topic, records))) {
      this.#buffer(topic, records, sink);
      return;
    }
    // The caller may change its bytes after the call.
    this.#waiting.push({ name, records: records.map(withOwnBytes), sink, admitted: undefined });
    if (!this.#admitting) void this.#admitAll();
  }

  get #hasRoom(): boolean {
    return this.#bufferedBytes < this.#options.bufferBytes;
  }

  /** Lets in who waits, in order, as topics become known and room comes free. */
  async #admitAll(): Promise<void> {
    this.#admitting = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      let topic: TopicInfo | Error;
      try {
        while (!this.#hasRoom) await this.#sender.someSettled();
        topic = this.#registry.get(next.name) ?? (await this.#load(next.name));
        if (!this.#mayTake(topic, next.records)) topic = await this.#load(next.name);
      } catch (error) {
        topic = asError(error);
      }
      if (this.#waiting.first !== next) continue; // let in meanwhile, as the page began to leave
      this.#waiting.shift();
      this.#admit(next, topic);
    }
    this.#admitting = false;
    this.#sender.drain('due'); // those who waited together travel together
  }

  /** Whether the topic's rules let the records pass; a rule that may be out of date refuses nothing. */
  #mayTake(topic: TopicInfo, records: readonly OutgoingRecord[]): boolean {
    if (this.#registry.isCurrent) return true; // what is refused is refused for good
    const writer = this.#writerOf(topic);
    return records.every((record) => writer.accepts(record));
  }

  /** The topic; asked for as long as a batch would be sent. */
  #load(name: string): Promise<TopicInfo> {
    const { idempotent, deliveryTimeoutMs } = this.#options;
    const ms = idempotent ? deliveryTimeoutMs : 0;
    return outlive(this.#connection, ms, () => this.#registry.load(name));
  }

  #admit({ records, sink, admitted }: Waiting, topic: TopicInfo | Error): void {
    try {
      if (topic instanceof Error) throw topic;
      this.#buffer(topic, records, sink);
    } catch (error) {
      records.forEach((_, i) => sink(i, asError(error)));
    }
    admitted?.resolve();
  }

  /** The page may be in its last turn: all that was accepted is posted, without waiting for anything. */
  #leave(): void {
    for (let left = this.#waiting.length; left > 0; left--) {
      const waiting = this.#waiting.shift()!;
      const topic = this.#registry.lastKnown(waiting.name);
      if (topic === undefined) this.#waiting.push(waiting);
      else this.#admit(waiting, topic);
    }
    this.#sender.drain('all');
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
    if (this.#drainQueued || (this.#admitting && !this.#connection.page.isLeaving)) return;
    this.#drainQueued = true;
    // Everything that is sent in one turn of the event loop goes into the same batches.
    queueMicrotask(() => {
      this.#drainQueued = false;
      this.#sender.drain('due');
    });
  }

  #writerOf(topic: TopicInfo): TopicWriter {
    const { batchBytes, partitioner } = this.#options;
    let writer = this.#writers.get(topic.name);
    if (writer === undefined || writer.topicId !== topic.id) {
      writer = new TopicWriter(topic, {
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

function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  // Of another realm; whoever sends tells an error by its class.
  return isError(error) ? new Error(error.message, { cause: error }) : toTablogError(error);
}
