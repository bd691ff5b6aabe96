import { abortable } from '../../base/abortable.ts';
import { checkArray, checkFunction, signalOf } from '../../base/argument.ts';
import type { SignalOptions } from '../../base/argument.ts';
import { Closable, bindFacade } from '../../base/handle.ts';
import { closed } from '../../base/error.ts';
import type { RecordMetadata, Sink } from '../accumulator/partition-accumulator.ts';
import { Admission } from './admission.ts';
import type { Submission } from './admission.ts';
import type { Connection } from '../connection/connection.ts';
import { checkProducerOptions } from '../accumulator/producer-options.ts';
import type { CheckedProducerOptions, ProducerOptions } from '../accumulator/producer-options.ts';
import { encodeAll } from '../accumulator/encode-all.ts';
import type { ProducerRecord } from '../accumulator/record-encoder.ts';
import { collectResults, singleResult } from './collect-results.ts';
import type { HeldSubmissions } from './held-submissions.ts';
import { lazyHeldSubmissions } from './lazy-held-submissions.ts';
import { lazyRawBatches } from './lazy-raw-batches.ts';
import type { RawMetadata } from './raw-batches.ts';
import { RecordBuffer } from './record-buffer.ts';
import { RecordSubmission } from './record-submission.ts';
import type { RecordCall } from './record-submission.ts';
import type {
  FlushOptions,
  SendOptions,
  SendRawOptions,
  TransactionOptions,
} from './send-options.ts';
import { SignalListeners } from './signal-listeners.ts';
import { SerdeWait } from '../topics/serde-context.ts';
import { asTopic } from '../topics/topic.ts';
import type { KeyInput, Topic, TopicLike, ValueInput } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { Transaction, TransactionResult } from '../transaction/transaction.ts';
import type { TransactionManager } from '../transaction/transaction-manager.ts';
import { lazyTransactionManager } from '../transaction/lazy-transaction-manager.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';

/** The body of a call: begins the call, and settles its promise. */
type Start<R> = (
  signal: AbortSignal | undefined,
  resolve: (result: R) => void,
  reject: (reason: unknown) => void,
) => void;

/**
 * Writes records (Kafka's `Producer`). Made by `log.producer()`; close it, or the log, when done.
 *
 * A record is encoded at the call, into the batch of its partition. Batches travel to the worker
 * together, and are stored in one transaction. The promise of `send` resolves when that transaction
 * has completed.
 */
export class Producer extends Closable {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;
  readonly #options: CheckedProducerOptions;
  readonly #onClosed: () => void;
  readonly #random: () => number;
  readonly #closing = new AbortController();
  readonly #closed = new AbortController();
  readonly #buffer: RecordBuffer;
  readonly #admission: Admission;
  readonly #signals: SignalListeners;
  /** Submissions that serdes hold up; `undefined`: no serde has ever waited. */
  #held: HeldSubmissions | undefined;
  #transactionManager: TransactionManager | undefined;

  constructor(
    connection: Connection,
    topicMetadata: TopicMetadata,
    given: ProducerOptions,
    onClosed: () => void,
    random: () => number = Math.random,
  ) {
    super();
    bindFacade(this);
    this.#onClosed = onClosed;
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
    const options = (this.#options = checkProducerOptions(given));
    this.#random = random;
    const buffer = new RecordBuffer({ connection, topicMetadata, options, random });
    this.#buffer = buffer;
    const { deliveryTimeoutMs } = buffer;
    const admission = new Admission({ connection, topicMetadata, deliveryTimeoutMs, buffer });
    this.#admission = admission;
    this.#signals = new SignalListeners((signal) => {
      this.#held?.withdraw(signal);
      admission.withdraw(signal);
      buffer.sender.withdraw(signal);
    });
    const leave = (): void => {
      admission.leave();
      buffer.sender.drain('all');
    };
    connection.page.onLeave(leave, this.#closed.signal);
  }

  /**
   * Sends one record; resolves with its place when it is stored. A record sent as the page is
   * hidden or left, as in a listener of `pagehide`, is posted to a SharedWorker in that same turn.
   * A worker of the tab's own, or `inline()`, may end with the page before the record is stored.
   *
   * Rejects with a `TypeError` or `RangeError` for a record that breaks a rule, with the reason of
   * a signal that has withdrawn the record, and with a `TablogError`: `UNKNOWN_TOPIC`,
   * `RECORD_TOO_LARGE`, `STORAGE_FULL`, `CONFLICT`, `CLOSED`, `WORKER_FAILED` where no worker could
   * be started, `OUTCOME_UNKNOWN` when the worker died before its answer came, or
   * `DELIVERY_TIMED_OUT`. The last three come after `deliveryTimeoutMs`; if the producer is not
   * idempotent, the first two come at once. A record that fails leaves other records alone. Where a
   * serde waits for a look-up (`context.waitFor`), the record and those of its topic behind it wait
   * as well; where the look-up fails, the promise rejects with `SERDE`.
   */
  send<T extends TopicLike>(
    topic: T,
    record: ProducerRecord<KeyInput<T>, ValueInput<T>>,
    options?: SendOptions,
  ): Promise<RecordMetadata> {
    return this.#withdrawable('send()', options, (signal, resolve, reject) => {
      this.#submit(topic, [record], signal, singleResult(resolve, reject), reject);
    });
  }

  /**
   * Sends many records with one promise; resolves with their places, in the order given. Cheaper
   * than as many `send`s. Every record is checked before the first is taken: where one breaks a
   * rule, none is sent, and the promise rejects as that of `send` does.
   *
   * A batch is not a transaction: a record that could not be stored leaves the others alone. The
   * promise then rejects, once the outcome of every record is known, with a `SendBatchError`, whose
   * `results` have the place or the error of each record, by its index. A signal that has withdrawn
   * all records rejects the promise with the signal's reason; a signal that has withdrawn some
   * makes those `ABORTED` among the results.
   */
  sendBatch<T extends TopicLike>(
    topic: T,
    records: readonly ProducerRecord<KeyInput<T>, ValueInput<T>>[],
    options?: SendOptions,
  ): Promise<RecordMetadata[]> {
    return this.#withdrawable('sendBatch()', options, (signal, resolve, reject) => {
      checkArray('sendBatch() takes an array of records', records);
      const sink = collectResults(records.length, resolve, reject);
      this.#submit(topic, records, signal, sink, reject);
      if (records.length === 0) resolve([]);
    });
  }

  /**
   * Sends record batches in Kafka's format (RecordBatch v2, magic 2) without decoding them: one or
   * more, end to end, with any of Kafka's codecs or none. They come from `consumer.batches({ raw:
   * true })`, from another log or from a Kafka broker. Resolves with the place of each batch.
   *
   * A batch is stored byte for byte, except for its base offset, which `keepOffsets` keeps, and for
   * its timestamps where the topic has `timestampType: 'append'`. The producer's `compression` has no effect. The producer
   * id, epoch and sequence in a batch belong to another log: they are kept and ignored. This
   * producer's own sequence numbers travel beside the batches, so each batch is stored once and in
   * order, also when an answer is lost. The worker checks the CRC, every record, and the topic's
   * rules.
   *
   * Rejects, and sends nothing, with a `TypeError` for anything but bytes, for a batch of a
   * transaction and for a control batch, and with `BATCH_CORRUPT` for bytes that are not whole
   * batches. Rejects as `sendBatch` does where a batch could not be stored: `BATCH_CORRUPT` for a
   * wrong CRC, `RECORD_TOO_LARGE`, `INVALID_RECORD`, and the errors of `send`.
   */
  async sendRaw(
    topic: TopicLike,
    partition: number,
    batches: ArrayBuffer | Uint8Array,
    options?: SendRawOptions,
  ): Promise<RawMetadata[]> {
    const raw = lazyRawBatches.mustGet();
    const { signal, ...where } = raw.checkRawOptions(options);
    return this.#withdrawable('sendRaw()', { signal }, (_, resolve, reject) => {
      const { name } = this.#open(topic);
      const sentAt = this.#connection.clock.now();
      const request = { topic: name, partition, batches, ...where, signal, sentAt };
      const submission = raw.rawSubmission(this.#buffer, request, resolve, reject);
      if (submission === undefined) resolve([]);
      else this.#accept(submission);
    });
  }

  /**
   * Runs `work`, and stores everything that it sends and commits in one transaction of the store.
   * Nothing is stored when `work` throws, when it calls `abort()`, when the signal aborts, or when
   * it takes longer than `transactionTimeoutMs`. Resolves when the transaction is stored, with the
   * result of `work` and the place of each record. Nothing is sent while `work` runs, so several
   * transactions may run side by side.
   *
   * Rejects with the error that `work` throws, with the signal's reason, and with a `TablogError`:
   * `TRANSACTION_ABORTED`, `TRANSACTION_TIMED_OUT`; `FENCED` where a partition was taken from a
   * consumer, or the transactional id from this producer; the errors of `send`. After
   * `OUTCOME_UNKNOWN` the transaction may be stored; after every other error nothing is stored.
   *
   * Only calls of the `transaction` argument are part of the transaction: `producer.send` within
   * `work` stores by itself, and so does another `transaction`.
   */
  async transaction<R>(
    work: (transaction: Transaction) => R | PromiseLike<R>,
    options?: TransactionOptions,
  ): Promise<TransactionResult<R>> {
    checkFunction('transaction() takes a function', work);
    const signal = signalOf('transaction()', options);
    signal?.throwIfAborted();
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
    return this.#transactionManager.run(work, signal);
  }

  /**
   * Sends all buffered records, without lingering; resolves when all of them are stored or have
   * failed.
   */
  async flush(options?: FlushOptions): Promise<void> {
    return abortable(signalOf('flush()', options), this.#flush());
  }

  /** Refuses further calls, and flushes the records that were sent. Idempotent. */
  override async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#flush(), this.#transactionManager?.idle()]);
    this.#buffer.sender.close();
    this.#closed.abort();
    this.#onClosed();
  }

  async #flush(): Promise<void> {
    const released = this.#held?.released();
    if (released !== undefined) await released;
    const admitted = this.#admission.admitted();
    if (admitted !== undefined) await admitted; // otherwise flush() seals every record in this turn
    await this.#buffer.sender.flush();
  }

  /** The topic. Throws where nothing can be sent to it. */
  #open(topicLike: TopicLike): Topic {
    const topic = asTopic(topicLike);
    if (this.#closing.signal.aborted) throw closed('producer', this.#connection.closed);
    if (this.#options.transactionalId !== undefined) {
      throw new TypeError('a producer with a transactionalId sends within transaction() only');
    }
    return topic;
  }

  #submit(
    topicLike: TopicLike,
    records: readonly ProducerRecord<unknown, unknown>[],
    signal: AbortSignal | undefined,
    sink: Sink,
    refuse: (reason: unknown) => void,
  ): void {
    const topic = this.#open(topicLike);
    if (records.length === 0) return;
    const sentAt = this.#connection.clock.now();
    const call = { topic: topic.name, sentAt, signal, sink, refuse };
    let encoded: OutgoingRecord[];
    try {
      encoded = encodeAll(topic, records, sentAt);
    } catch (wait) {
      if (!(wait instanceof SerdeWait)) throw wait;
      this.#postpone(wait, call, topic, [...records]); // the caller may change the array
      return;
    }
    this.#accept(new RecordSubmission(this.#buffer, call, encoded));
  }

  /** Holds records whose serde waits, until they can be encoded. */
  #postpone(
    wait: SerdeWait,
    call: RecordCall,
    topic: Topic,
    records: readonly ProducerRecord<unknown, unknown>[],
  ): void {
    call.signal?.throwIfAborted();
    const encode = (): Submission =>
      new RecordSubmission(this.#buffer, call, encodeAll(topic, records, call.sentAt));
    this.#hold().addUnencoded({ ...call, wait, encode });
  }

  #accept(submission: Submission): void {
    submission.signal?.throwIfAborted();
    if (this.#held?.holds(submission.topic)) this.#held.add(submission);
    else this.#admission.accept(submission);
  }

  #hold(): HeldSubmissions {
    const { HeldSubmissions } = lazyHeldSubmissions.mustGet();
    const { signal } = this.#closed;
    return (this.#held ??= new HeldSubmissions(
      this.#connection,
      this.#options,
      this.#admission,
      signal,
    ));
  }

  /** The promise of a call that the signal among its options can withdraw. */
  #withdrawable<R>(what: string, options: SignalOptions | undefined, start: Start<R>): Promise<R> {
    if (options === undefined) {
      return new Promise((resolve, reject) => start(undefined, resolve, reject));
    }
    let signal = undefined as AbortSignal | undefined;
    const call = new Promise<R>((resolve, reject) => {
      signal = signalOf(what, options);
      start(signal, resolve, reject);
    });
    if (signal !== undefined) this.#signals.listen(signal, call);
    return call;
  }
}
