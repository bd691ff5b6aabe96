import { abortable } from '../../base/abortable.ts';
import { TablogError, closed, toTablogError } from '../../base/error.ts';
import { randomId, randomProducerId } from '../../platform/random-id.ts';
import { Turns } from '../../base/queue.ts';
import { retry } from '../../platform/retry.ts';
import type { Request, Response } from '../../protocol/broker.ts';
import type { ProducerIdentity, TransactionalHolder } from '../../protocol/produce.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { RecordMetadata, SealedBatch } from '../accumulator/partition-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { Delivery, inTime, lookUp } from '../connection/delivery.ts';
import { transactionOffsets } from './transaction-offsets.ts';
import type { TransactionOffset, TransactionOffsets } from './transaction-offsets.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';
import { BatchSequencer } from '../accumulator/batch-sequencer.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { TopicAccumulator } from '../accumulator/topic-accumulator.ts';
import { TRANSACTION_TIMED_OUT } from './transaction-errors.ts';
import { Transaction } from './transaction.ts';
import type { SentRecord, TransactionResult } from './transaction.ts';

export interface TransactionManagerOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly options: CheckedProducerOptions;
  readonly random: () => number;
  /** Aborts when the producer closes. */
  readonly closing: AbortSignal;
}

/** A producer's id and epoch, and the sequences of its batches by partition. */
interface SequencedProducer extends ProducerIdentity {
  readonly sequences: Map<string, BatchSequencer>;
}

/**
 * Runs a producer's transactions (Kafka's `TransactionManager`). Each transaction is one request to
 * the broker and one transaction of the store. The transactions of a producer are stored one after
 * the other, because their batches have consecutive sequences.
 */
export class TransactionManager {
  readonly #options: TransactionManagerOptions;
  #producer: Promise<SequencedProducer> | undefined;
  /** Transactions are stored one after the other. */
  readonly #turns = new Turns();
  /** Settles when the caller of the last transaction was told its outcome. */
  #lastTold: Promise<unknown> = Promise.resolve();
  /**
   * The id by which the broker recognizes this manager as the holder of the transactional id. Only
   * the current holder may get a new epoch:
   * https://cwiki.apache.org/confluence/display/KAFKA/KIP-360.
   */
  readonly #holder = randomId();
  /**
   * This manager's last answer of `initProducer`; null: the manager does not hold the transactional
   * id yet.
   */
  #held: TransactionalHolder | null = null;
  readonly #open = new Set<Transaction>();

  constructor(options: TransactionManagerOptions) {
    this.#options = options;
    // One listener serves all transactions, because Node warns of more than ten listeners.
    options.closing.addEventListener('abort', () => {
      const why = closed('producer', options.connection.closed);
      for (const transaction of this.#open) Transaction.end(transaction, why);
    });
  }

  async run<R>(
    work: (transaction: Transaction) => R | PromiseLike<R>,
    callerSignal?: AbortSignal,
  ): Promise<TransactionResult<R>> {
    const { connection, options, closing } = this.#options;
    const { clock } = connection;
    // From here on the previous holder of the transactional id is fenced.
    await abortable(callerSignal, this.#begin());
    if (closing.aborted) throw closed('producer', connection.closed);
    callerSignal?.throwIfAborted();
    const { maxTransactionBytes, transactionTimeoutMs } = options;
    const transaction = new Transaction({
      log: connection.log,
      maxBytes: maxTransactionBytes,
      now: () => clock.now(),
    });
    const { signal } = transaction;
    const began = clock.now();
    const expire = (): void => Transaction.end(transaction, timedOut(transactionTimeoutMs));
    const cancel = clock.after(transactionTimeoutMs, expire);
    this.#open.add(transaction);
    const abort = (): void => Transaction.end(transaction, callerSignal!.reason);
    callerSignal?.addEventListener('abort', abort);
    try {
      const result = await abortable(signal, Promise.resolve(transaction).then(work));
      const encoded = Transaction.encoded(transaction);
      if (encoded !== undefined) await abortable(signal, encoded);
      // In a tab that was suspended the timer fires late.
      if (clock.now() - began > transactionTimeoutMs) expire();
      signal.throwIfAborted();
      Transaction.end(transaction);
      const { sent, offsets } = Transaction.contentOf(transaction);
      const delivery = new Delivery(clock, options.deliveryTimeoutMs);
      const stored = this.#turns.next(async () => {
        callerSignal?.throwIfAborted(); // earlier transactions take time
        return this.#store(sent, offsets, delivery);
      });
      const told = inTime(clock, delivery, stored);
      this.#lastTold = told.catch(() => {});
      return { result, placements: await told };
    } catch (error) {
      Transaction.end(transaction, error);
      throw error;
    } finally {
      callerSignal?.removeEventListener('abort', abort);
      cancel();
      this.#open.delete(transaction);
    }
  }

  /** Resolves when the callers of all transactions that are to be stored were told the outcome. */
  async idle(): Promise<void> {
    await this.#lastTold;
  }

  #begin(): Promise<SequencedProducer> {
    if (this.#producer === undefined) {
      const producer = this.#identify().then((identity) => ({ ...identity, sequences: new Map() }));
      producer.catch(() => (this.#producer = undefined));
      this.#producer = producer;
    }
    return this.#producer;
  }

  async #identify(): Promise<ProducerIdentity> {
    const { transactionalId, deliveryTimeoutMs } = this.#options.options;
    if (transactionalId === undefined) return { id: randomProducerId(), epoch: 0 };
    const { connection } = this.#options;
    const holder = this.#holder;
    let seen = this.#held;
    // Compare and set: each answer names the current holder, and the next request takes the id from
    // that holder.
    do {
      const request = { transactionalId, holder, seen };
      const init = (): Promise<TransactionalHolder> => connection.call('initProducer', request);
      seen = await retry(connection, { deliveryTimeoutMs }, init); // safe for the holder
    } while (seen.holder !== holder);
    this.#held = seen;
    return seen;
  }

  async #store(
    sent: readonly SentRecord[],
    delivered: readonly (readonly TransactionOffset[])[],
    delivery: Delivery,
  ): Promise<RecordMetadata[]> {
    const placements: RecordMetadata[] = [];
    const batches = await this.#pack(sent, placements, delivery);
    const commit = async (): Promise<void> => {
      const offsets = delivered.flatMap((each) => transactionOffsets(each) ?? []);
      let isStored = false;
      try {
        const results = await this.#send(batches, offsets, delivery);
        isStored = true;
        batches.forEach((batch, i) => batch.settle(results[i]!));
      } finally {
        for (const each of offsets) each.ended(isStored);
      }
    };
    // Each committer waits for its commits in flight, so that the transaction overtakes none. All
    // transactions lock the committers in one order, so that two transactions cannot deadlock.
    const committers = [...new Set(delivered.flatMap((each) => each[0]?.progress.committer ?? []))];
    const inOrder = committers
      .sort((a, b) => a.order - b.order)
      .reduce((work, committer) => () => committer.alone(work), commit);
    await inOrder();
    return placements;
  }

  /**
   * The records in batches, one for each partition. Each stored record sets its place in
   * `placements`.
   */
  async #pack(
    sent: readonly SentRecord[],
    placements: RecordMetadata[],
    delivery: Delivery,
  ): Promise<SealedBatch[]> {
    const { connection, topicMetadata, options, random } = this.#options;
    const sentAt = connection.clock.now();
    const load = (topic: string): Promise<TopicInfo> =>
      lookUp(connection, delivery, () => topicMetadata.load(topic));
    const batches: SealedBatch[] = [];
    const topics = new Map<string, TopicAccumulator>();
    const accumulators = new Set<{ seal(): void }>();
    for (const [index, { topic, record }] of sent.entries()) {
      const topicAccumulator =
        topics.get(topic) ??
        new TopicAccumulator(topicMetadata.get(topic) ?? (await load(topic)), {
          batchBytes: options.maxTransactionBytes,
          partitioner: options.partitioner,
          random,
          newDelivery: () => new Delivery(connection.clock, 0), // `#send` has its own
          producerId: undefined, // sequences are assigned right before the request
          onSealed: (batch) => batches.push(batch),
        });
      topics.set(topic, topicAccumulator);
      if (!topicAccumulator.accepts(record)) topicAccumulator.update(await load(topic));
      topicAccumulator.check(record);
      const accumulator = topicAccumulator.choose(topicAccumulator.assign(record));
      accumulators.add(accumulator);
      const sink = (_: number, result: RecordMetadata | Error): void => {
        if (!(result instanceof Error)) placements[index] = result;
      };
      accumulator.add(record.parts, record.size, index, { sink, signal: undefined, sentAt });
    }
    for (const accumulator of accumulators) accumulator.seal();
    return batches;
  }

  /** Sends the transaction until its outcome is known, or the delivery is late or expired. */
  async #send(
    batches: readonly SealedBatch[],
    offsets: readonly TransactionOffsets[],
    delivery: Delivery,
  ): Promise<Response<'transact'>> {
    const { connection, options, topicMetadata } = this.#options;
    const { compression, durability, transactionalId } = options;
    if (batches.length === 0 && offsets.length === 0) return [];
    const request = ({ id, epoch }: ProducerIdentity): Request<'transact'> => ({
      appends: batches.map(({ accumulator: { topic, partition }, bytes }) => ({
        topicId: topic.id,
        partition,
        batch: bytes.slice().buffer,
        compression,
      })),
      commits: offsets.map(({ commit }) => commit),
      producer: transactionalId === undefined ? null : { transactionalId, id, epoch },
      durability,
    });
    const passes = (error: unknown): boolean => delivery.failed(toTablogError(error));
    const send = async (): Promise<Response<'transact'>> => {
      const producer = await this.#number(batches);
      const policy = { isRetried: passes, deliveryTimeoutMs: delivery.leftMs, atOnce: 1 };
      try {
        return await retry(connection, policy, async () => {
          if (delivery.isLost || delivery.isExpired) throw delivery.error;
          delivery.sent();
          return connection.call('transact', request(producer));
        });
      } catch {
        this.#producer = undefined; // the next one has another id or epoch
        throw delivery.error;
      }
    };
    // A partition that has dropped the producer's state refuses the sequences
    // (`OUT_OF_ORDER_SEQUENCE`). Where no answer was lost, the transaction is certainly not stored.
    // The retry then gets a new id or epoch, whose sequences begin at 0; the partition accepts such
    // sequences.
    const isRetried = (error: unknown): boolean =>
      error === delivery.failure && delivery.failure?.code === 'OUT_OF_ORDER_SEQUENCE';
    try {
      return await retry(connection, { isRetried, retries: 1, atOnce: 1 }, send);
    } catch (error) {
      if (delivery.failure?.code === 'UNKNOWN_TOPIC') topicMetadata.forget();
      throw error;
    }
  }

  /** Assigns sequences to the batches. Resolves with the producer whose sequences these are. */
  async #number(batches: readonly SealedBatch[]): Promise<SequencedProducer> {
    const producer = await this.#begin();
    for (const batch of batches) sequenceOf(producer, batch).number(batch);
    return producer;
  }
}

function sequenceOf(producer: SequencedProducer, { accumulator }: SealedBatch): BatchSequencer {
  const key = `${accumulator.topic.id}/${accumulator.partition}`;
  const known = producer.sequences.get(key);
  if (known !== undefined) return known;
  const made = new BatchSequencer(producer);
  producer.sequences.set(key, made);
  return made;
}

function timedOut(ms: number): TablogError {
  return new TablogError(TRANSACTION_TIMED_OUT, `the transaction was left open for ${ms} ms`, {
    details: { transactionTimeoutMs: ms },
  });
}
