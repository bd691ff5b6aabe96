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
 * What `log.producer()` takes. The defaults suit an application's own records; the comments say
 * when to change one. A value that breaks a rule is a `TypeError` or a `RangeError` at the call.
 */
export interface ProducerOptions {
  /**
   * How long a batch that is not full waits for more records (Kafka's `linger.ms`), in
   * milliseconds. Default 0: a batch leaves as soon as none of its partition is under way, and
   * records sent meanwhile travel together, so batches grow with the load by themselves. Raise it
   * to trade latency for fewer transactions. In a hidden page, where timers fire once a minute, it
   * counts as 0. When the page is hidden or left, all accepted records are posted at once.
   */
  readonly lingerMs?: number;
  /**
   * The size at which a batch is full (Kafka's `batch.size`), in bytes, from 1 to 16 MiB: a record
   * that no longer fits begins the next batch, and the full one leaves at once; a larger record
   * travels alone. Default 1 MiB, a row of the store, where Kafka has 16 KiB: in a browser the cost
   * is per transaction. With compression 256 KiB, because the worker that compresses serves every
   * tab, and gzip keeps it busy for some 10 ms a batch. Leave it alone unless others wait for too
   * long behind this producer's batches.
   */
  readonly batchBytes?: number;
  /**
   * How much may be buffered and under way (Kafka's `buffer.memory`), in bytes; a `send` beyond it
   * waits for room, and its promise with it, where Kafka gives up after `max.block.ms`. Default 32
   * MiB. Lower it where memory is scarce, and await `send` or `flush` where more is sent than is
   * stored.
   */
  readonly bufferBytes?: number;
  /**
   * The codec that the worker compresses batches with, and stores them in (Kafka's
   * `compression.type`). 'gzip' makes the smallest batches; 'lz4' and 'snappy' take a fraction of
   * its time, and their code is loaded by the first batch. Default 'none': leave it there unless
   * disk space is short.
   */
  readonly compression?: Compression;
  /**
   * What an ack promises. 'relaxed' (default): the transaction has completed; the record survives a
   * crash of tab and browser. 'strict': it was flushed to the disk too, and survives a power cut as
   * far as the disk does. Leave it at 'relaxed' where the last moments before a power cut may be
   * lost: a flush costs milliseconds, and everybody waits for it.
   */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * Batches are numbered, so that one whose answer was lost is sent again and stored once, and none
   * overtakes another (Kafka's `enable.idempotence`). Default `true`. `false` saves a copy of each
   * batch, and `send` is `OUTCOME_UNKNOWN` at once when an answer is lost: for records of which
   * each replaces the one before, as a pointer's position.
   */
  readonly idempotent?: boolean;
  /**
   * How long an idempotent producer keeps retrying a batch whose worker or storage failed, or whose
   * worker cannot be started now, as when the tab is offline (Kafka's `delivery.timeout.ms`), in
   * milliseconds. The first retry comes at once, the next after 100 ms, and each later one after
   * twice as long, up to 1 s. Default 120,000. Less than 300,000, the time for which a partition
   * remembers batches: a later retry could be stored twice. It is also the longest that a record of
   * any producer waits for what its serde looks up (`context.waitFor`). Leave it alone, and give a
   * `signal` to those `send`s that somebody waits for.
   */
  readonly deliveryTimeoutMs?: number;
  /**
   * The name of a producer of transactions that survives reloads: whoever takes the name last has
   * it, and transactions of those who had it before fail with `FENCED` (Kafka's
   * `transactional.id`). It is taken by the first `transaction()`, and not by `log.producer()`,
   * where Kafka has `initTransactions`; unused for 7 days, it is forgotten. Such a producer sends
   * within `transaction()` only, and is idempotent. Default: none. Leave it out where several tabs
   * may write side by side: a transaction that commits offsets is fenced by their group.
   */
  readonly transactionalId?: string;
  /**
   * How long a transaction may be open (Kafka's `transaction.timeout.ms`), in milliseconds; at
   * least 1. A later one fails with `TRANSACTION_TIMED_OUT`, and nothing of it is stored. Default
   * 60,000. Leave it alone, and do slow work before the transaction.
   */
  readonly transactionTimeoutMs?: number;
  /**
   * How large the records of a transaction may be in all, in bytes, up to 64 MiB; more are
   * `TRANSACTION_TOO_LARGE`. Kafka has no such bound. Default 16 MiB. Leave it alone: a transaction
   * is one of the store, for which everybody else waits.
   */
  readonly maxTransactionBytes?: number;
  /**
   * Chooses the partitions of records that name none (Kafka's `partitioner.class`). Called once a
   * record, with the encoded fields; what it throws, and a partition that does not exist, rejects
   * the `send`. Default: Java's murmur2 of the key; without a key, one batch after the other. Leave
   * it alone where a key's records are to meet those of other Kafka clients.
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

/** A transaction is one of the store, for which everybody else waits. */
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

/** `options` with the defaults. Throws a `TypeError` or a `RangeError` for what breaks a rule. */
export function checkProducerOptions(options: ProducerOptions): CheckedProducerOptions {
  const given = { ...DEFAULTS, ...checkEach('producer()', options, CHECKS) };
  if (given.transactionalId !== undefined && !given.idempotent) {
    throw new TypeError('transactionalId needs idempotent: true');
  }
  const batchBytes = given.batchBytes ?? (given.compression === 'none' ? 1024 * 1024 : 256 * 1024);
  return { ...given, batchBytes };
}
