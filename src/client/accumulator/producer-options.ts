import {
  checkBoolean,
  checkEach,
  checkFunction,
  checkInteger,
  checkMs,
  checkName,
  checkOneOf,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import type { Compression } from '../../record/batch-format.ts';
import { RECENT_MS } from '../../record/sequence.ts';
import type { Partitioner } from './partitioner.ts';

/**
 * Options of `log.producer()`. The defaults suit an application's own records; each comment says
 * when to change one. An option that breaks a rule throws a `TypeError` or a `RangeError` at the
 * call.
 */
export interface ProducerOptions {
  /**
   * How long a batch that is not full waits for more records (Kafka's `linger.ms`), in
   * milliseconds. Default 0: a batch leaves as soon as no other batch of its partition is in
   * flight. Records sent meanwhile share the next batch, so batches grow with the load by
   * themselves. Raise it to trade latency for fewer transactions. In a hidden page, where timers
   * fire once a minute, it counts as 0. When the page is hidden or left, all accepted records are
   * posted at once.
   */
  readonly lingerMs?: number;
  /**
   * The size at which a batch is full (Kafka's `batch.size`), in bytes, from 1 to 16 MiB. A record
   * that no longer fits begins the next batch, and the full batch leaves at once; a larger record
   * travels alone. Default 1 MiB, a row of the store, where Kafka has 16 KiB: in a browser the cost
   * is per transaction. With compression the default is 256 KiB, because the worker that compresses
   * serves every tab, and gzip keeps the worker busy for some 10 ms a batch. Leave it alone unless
   * other tabs wait for too long behind this producer's batches.
   */
  readonly batchBytes?: number;
  /**
   * The most bytes that may be buffered and in flight (Kafka's `buffer.memory`). A `send` beyond
   * the limit waits for room, and so does its promise, where Kafka gives up after `max.block.ms`.
   * Default 32 MiB. Lower it where memory is scarce. Await `send` or `flush` where records are sent
   * faster than they are stored.
   */
  readonly bufferBytes?: number;
  /**
   * The codec that the worker compresses and stores batches with (Kafka's `compression.type`).
   * 'gzip' makes the smallest batches; 'lz4' and 'snappy' take a fraction of gzip's time, and their
   * code is loaded by the first batch. Default 'none': leave it there unless disk space is short.
   */
  readonly compression?: Compression;
  /**
   * The promise of an ack. 'relaxed' (default): the transaction has completed; the record survives
   * a crash of tab and browser. 'strict': the transaction was also flushed to the disk; the record
   * survives a power cut as far as the disk does. Leave it at 'relaxed' where the last moments
   * before a power cut may be lost: a flush costs milliseconds, and every other transaction of the
   * log waits for it.
   */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * Whether batches are numbered (Kafka's `enable.idempotence`). A numbered batch whose answer was
   * lost is sent again and stored once, and no batch overtakes another. Default `true`. `false`
   * saves a copy of each batch, and `send` rejects with `OUTCOME_UNKNOWN` at once when an answer is
   * lost: choose it for records of which each replaces the one before, such as the position of a
   * pointer.
   */
  readonly idempotent?: boolean;
  /**
   * The longest that a promise of `send`, `sendBatch` or `sendRaw` of an idempotent producer waits, counted
   * from the call, in milliseconds (Kafka's `delivery.timeout.ms`); for a `transaction`, counted
   * from the end of its function. Until then a batch is retried when the worker or the storage
   * failed, or the worker cannot be started now, as when the tab is offline: at once, then after
   * 100 ms, and each time after twice as long, up to 1 s. Then the promise rejects with the error
   * of the last attempt, with `OUTCOME_UNKNOWN` where an attempt may have stored the record, and
   * with `DELIVERY_TIMED_OUT` where the record was not sent. Default 120,000; at most 299,999,
   * because a partition remembers batches for 300,000 ms: a later retry could be stored twice. 0,
   * and `idempotent: false`: one attempt. Keep it above `lingerMs`. The option is also the longest
   * wait of a record of any producer for the look-ups of its serde (`context.waitFor`). Leave it
   * alone, and give a `signal` to each `send` that a user waits for.
   */
  readonly deliveryTimeoutMs?: number;
  /**
   * The name of a transactional producer that survives reloads (Kafka's `transactional.id`). The
   * producer that takes the name last has it; transactions of earlier producers of the name fail
   * with `FENCED`. The first `transaction()` takes the name, not `log.producer()`, where Kafka has
   * `initTransactions`. A name that is unused for 7 days is forgotten. Such a producer sends within
   * `transaction()` only, and is idempotent. Default: none. Leave it out where several tabs may
   * write side by side: a transaction that commits offsets is fenced by their group.
   */
  readonly transactionalId?: string;
  /**
   * How long a transaction may be open (Kafka's `transaction.timeout.ms`), in milliseconds; at
   * least 1. A transaction that takes longer fails with `TRANSACTION_TIMED_OUT`, and nothing of it
   * is stored. Default 60,000. Leave it alone, and do slow work before the transaction.
   */
  readonly transactionTimeoutMs?: number;
  /**
   * The most bytes of all records of a transaction, up to 64 MiB; beyond them the transaction fails
   * with `TRANSACTION_TOO_LARGE`. Kafka has no such bound. Default 16 MiB. Leave it alone: a
   * transaction is one transaction of the store, and every other call waits for it.
   */
  readonly maxTransactionBytes?: number;
  /**
   * Chooses the partition of each record that names none (Kafka's `partitioner.class`). The
   * partitioner is called once a record, with the encoded fields. An error that it throws, or a
   * partition that does not exist, rejects the `send`. Default: Java's murmur2 of the key; without
   * a key, one partition per batch. Leave it alone where records of a key must share a partition
   * with those of other Kafka clients.
   */
  readonly partitioner?: Partitioner;
}

type Optional = 'partitioner' | 'transactionalId';

export type CheckedProducerOptions = Required<Omit<ProducerOptions, Optional>> &
  Pick<ProducerOptions, Optional>;

const DEFAULTS: Omit<Required<ProducerOptions>, Optional | 'batchBytes'> = {
  lingerMs: 0,
  bufferBytes: 32 * 1024 * 1024,
  compression: 'none',
  durability: 'relaxed',
  idempotent: true,
  deliveryTimeoutMs: 120_000,
  transactionTimeoutMs: 60_000,
  maxTransactionBytes: 16 * 1024 * 1024,
};

const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** A transaction is one transaction of the store: every other call waits for it. */
const MAX_TRANSACTION_BYTES = 64 * 1024 * 1024;

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4'];

const CHECKS: Checks<ProducerOptions> = {
  lingerMs: checkMs,
  batchBytes: (name, value) => checkInteger(name, value, 1, MAX_BATCH_BYTES),
  bufferBytes: (name, value) => checkInteger(name, value, 1),
  compression: (name, value) => checkOneOf(name, value, COMPRESSIONS),
  durability: (name, value) => checkOneOf(name, value, ['relaxed', 'strict']),
  idempotent: checkBoolean,
  deliveryTimeoutMs: (name, value) => {
    const why = ', for as long as partitions know what comes again,';
    checkInteger(`${name}${why}`, value, 0, RECENT_MS - 1);
  },
  transactionalId: (_, value) => checkName('transactional id', value),
  transactionTimeoutMs: (name, value) => checkMs(name, value, 1),
  maxTransactionBytes: (name, value) => checkInteger(name, value, 1, MAX_TRANSACTION_BYTES),
  partitioner: (name, value) => checkFunction(`${name} must be a function`, value),
};

/**
 * `options` with the defaults. Throws a `TypeError` or a `RangeError` for an option that breaks a
 * rule.
 */
export function checkProducerOptions(options: ProducerOptions): CheckedProducerOptions {
  const given = { ...DEFAULTS, ...checkEach('producer()', options, CHECKS) };
  if (given.transactionalId !== undefined && !given.idempotent) {
    throw new TypeError('transactionalId needs idempotent: true');
  }
  const batchBytes = given.batchBytes ?? (given.compression === 'none' ? 1024 * 1024 : 256 * 1024);
  return { ...given, batchBytes };
}
