import { abortable } from '../../base/abortable.ts';
import { TRANSACTION_TIMED_OUT } from '../../base/error-rules.ts';
import { TablogError, closed, toTablogError } from '../../base/error.ts';
import { randomId, randomProducerId } from '../../platform/random-id.ts';
import { retry } from '../../platform/retry.ts';
import type { Request, Response } from '../../protocol/broker.ts';
import type { ProducerIdentity, TransactionalHolder } from '../../protocol/produce.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { RecordMetadata, SealedBatch } from '../accumulator/partition-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { Delivery } from '../connection/delivery.ts';
import { transactionOffsets } from './transaction-offsets.ts';
import type { TransactionOffset, TransactionOffsets } from './transaction-offsets.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';
import { BatchSequencer } from '../accumulator/batch-sequencer.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { TopicAccumulator } from '../accumulator/topic-accumulator.ts';
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

/** Who writes, and the numbers of its batches. */
interface Writing extends ProducerIdentity {
  readonly sequences: Map<string, BatchSequencer>;
}

/**
 * Runs a producer's transactions. Each is one request and one transaction of the store; they are
 * stored one after the other, so that their batches can be numbered.
 */
export class TransactionManager {
  readonly #options: TransactionManagerOptions;
  #writing: Promise<Writing> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Who holds the transactional id: only the holder may renew it (KIP-360). */
  readonly #holder = randomId();
  /** It, as soon as it has the id. */
  #seen: TransactionalHolder | null = null;
  readonly #open = new Set<Transaction>();

  constructor(options: TransactionManagerOptions) {
    this.#options = options;
    // One listener for all of them: Node warns of more than ten.
    options.closing.addEventListener('abort', () => {
      const why = closed('producer', options.connection.closed);
      for (const transaction of this.#open) Transaction.end(transaction, why);
    });
  }

  async run<R>(
    work: (transaction: Transaction) => R | PromiseLike<R>,
    given?: AbortSignal,
  ): Promise<TransactionResult<R>> {
    const { connection, options, closing } = this.#options;
    const { clock } = connection;
    // Whoever had the transactional id is fenced from now on.
    await abortable(given, this.#begin());
    if (closing.aborted) throw closed('producer', connection.closed);
    given?.throwIfAborted();
    const { maxTransactionBytes, transactionTimeoutMs } = options;
    const transaction = new Transaction({
      log: connection.log,
      maxBytes: maxTransactionBytes,
      now: () => clock.now(),
    });
    const { signal } = transaction;
    const over = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const began = clock.now();
    const expire = (): void => Transaction.end(transaction, timedOut(transactionTimeoutMs));
    const cancel = clock.after(transactionTimeoutMs, expire);
    this.#open.add(transaction);
    const abort = (): void => Transaction.end(transaction, given!.reason);
    given?.addEventListener('abort', abort);
    try {
      const result = await Promise.race([Promise.resolve(transaction).then(work), over]);
      const encoded = Transaction.encoded(transaction);
      if (encoded !== undefined) await Promise.race([encoded, over]);
      // In a tab that slept timers come late.
      if (clock.now() - began > transactionTimeoutMs) expire();
      signal.throwIfAborted();
      Transaction.end(transaction);
      const { sent, offsets } = Transaction.contentOf(transaction);
      const placements = await this.#inTurn(() => {
        given?.throwIfAborted(); // while others were stored
        return this.#store(sent, offsets);
      });
      return { result, placements };
    } catch (error) {
      Transaction.end(transaction, error);
      throw error;
    } finally {
      given?.removeEventListener('abort', abort);
      cancel();
      this.#open.delete(transaction);
    }
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    await this.#last;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  #begin(): Promise<Writing> {
    if (this.#writing === undefined) {
      const writing = this.#identify().then((identity) => ({ ...identity, sequences: new Map() }));
      writing.catch(() => (this.#writing = undefined));
      this.#writing = writing;
    }
    return this.#writing;
  }

  async #identify(): Promise<ProducerIdentity> {
    const { transactionalId, deliveryTimeoutMs } = this.#options.options;
    if (transactionalId === undefined) return { id: randomProducerId(), epoch: 0 };
    const { connection } = this.#options;
    const holder = this.#holder;
    let seen = this.#seen;
    // Compare and set: the answer names who has the id, and the next call takes it from that one.
    do {
      const request = { transactionalId, holder, seen };
      const init = (): Promise<TransactionalHolder> => connection.call('initProducer', request);
      seen = await retry(connection, { deliveryTimeoutMs }, init); // the holder may ask repeatedly
    } while (seen.holder !== holder);
    this.#seen = seen;
    return seen;
  }

  async #store(
    sent: readonly SentRecord[],
    delivered: readonly (readonly TransactionOffset[])[],
  ): Promise<RecordMetadata[]> {
    const placements: RecordMetadata[] = [];
    const batches = await this.#pack(sent, placements);
    const commit = async (): Promise<void> => {
      const offsets = delivered.flatMap((each) => transactionOffsets(each) ?? []);
      let isStored = false;
      try {
        const places = await this.#send(batches, offsets);
        isStored = true;
        batches.forEach((batch, i) => batch.settle(places[i]!));
      } finally {
        for (const each of offsets) each.ended(isStored);
      }
    };
    // Behind the commits that are in flight, so that none is overtaken.
    const committers = [...new Set(delivered.flatMap((each) => each[0]?.progress.committer ?? []))];
    const inOrder = committers
      .sort((a, b) => a.order - b.order)
      .reduce((work, committer) => () => committer.alone(work), commit);
    await inOrder();
    return placements;
  }

  /** The records in batches, one a partition; they tell `placements` what became of them. */
  async #pack(sent: readonly SentRecord[], placements: RecordMetadata[]): Promise<SealedBatch[]> {
    const { connection, topicMetadata, options, random } = this.#options;
    const batches: SealedBatch[] = [];
    const writers = new Map<string, TopicAccumulator>();
    const accumulators = new Set<{ seal(): void }>();
    for (const [index, { topic, record }] of sent.entries()) {
      const writer =
        writers.get(topic) ??
        new TopicAccumulator(topicMetadata.get(topic) ?? (await this.#load(topic)), {
          batchBytes: options.maxTransactionBytes,
          partitioner: options.partitioner,
          random,
          newDelivery: () => new Delivery(connection.clock, 0), // they are delivered as a whole
          producerId: undefined, // batches are numbered when it is their turn
          onSealed: (batch) => batches.push(batch),
        });
      writers.set(topic, writer);
      if (!writer.accepts(record)) writer.update(await this.#load(topic));
      writer.check(record);
      const accumulator = writer.choose(record);
      accumulators.add(accumulator);
      const sink = (_: number, result: RecordMetadata | Error): void => {
        if (!(result instanceof Error)) placements[index] = result;
      };
      accumulator.add(record.parts, record.size, sink, index);
    }
    for (const accumulator of accumulators) accumulator.seal();
    return batches;
  }

  #load(topic: string): Promise<TopicInfo> {
    const { connection, topicMetadata, options } = this.#options;
    const { deliveryTimeoutMs } = options;
    return retry(connection, { deliveryTimeoutMs }, () => topicMetadata.load(topic));
  }

  /** Sends until it is known what became of it, as long as `deliveryTimeoutMs` allows. */
  async #send(
    batches: readonly SealedBatch[],
    offsets: readonly TransactionOffsets[],
  ): Promise<Response<'transact'>> {
    const { connection, options, topicMetadata } = this.#options;
    const { clock } = connection;
    const { compression, durability, deliveryTimeoutMs, transactionalId } = options;
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
    const delivery = new Delivery(clock, deliveryTimeoutMs);
    const passes = (error: unknown): boolean => delivery.failed(toTablogError(error));
    const send = async (): Promise<Response<'transact'>> => {
      const writing = await this.#number(batches);
      const policy = { isRetried: passes, deliveryTimeoutMs, atOnce: 1 };
      try {
        return await retry(connection, policy, async () => {
          if (delivery.isLost) throw delivery.error;
          delivery.sent();
          return connection.call('transact', request(writing));
        });
      } catch {
        this.#writing = undefined; // the next numbers are of another identity, or of its next epoch
        throw delivery.error;
      }
    };
    // A partition that has forgotten the producer refuses the numbers of a transaction that was
    // certainly not stored: new numbers begin at 0, which it takes.
    const isRetried = (error: unknown): boolean =>
      error === delivery.failure && delivery.failure?.code === 'OUT_OF_ORDER_SEQUENCE';
    try {
      return await retry(connection, { isRetried, retries: 1, atOnce: 1 }, send);
    } catch (error) {
      if (delivery.failure?.code === 'UNKNOWN_TOPIC') topicMetadata.forget();
      throw error;
    }
  }

  /** Numbers the batches; tells who writes them. */
  async #number(batches: readonly SealedBatch[]): Promise<Writing> {
    const writing = await this.#begin();
    for (const batch of batches) sequenceOf(writing, batch).number(batch);
    return writing;
  }
}

function sequenceOf(writing: Writing, { accumulator }: SealedBatch): BatchSequencer {
  const key = `${accumulator.topic.id}/${accumulator.partition}`;
  const known = writing.sequences.get(key);
  if (known !== undefined) return known;
  const made = new BatchSequencer(writing);
  writing.sequences.set(key, made);
  return made;
}

function timedOut(ms: number): TablogError {
  return new TablogError(TRANSACTION_TIMED_OUT, `the transaction was left open for ${ms} ms`, {
    details: { transactionTimeoutMs: ms },
  });
}
