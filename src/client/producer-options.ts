import {
  checkBoolean,
  checkEach,
  checkFunction,
  checkInteger,
  checkMs,
  checkName,
  checkOneOf,
} from '../base/argument.ts';
import type { Checks } from '../base/argument.ts';
import type { Compression } from '../record/batch-format.ts';
import { RECENT_MS } from '../record/sequence.ts';
import type { Partitioner } from './partitioner.ts';

export interface ProducerOptions {
  /**
   * How long a batch that is not full waits for more records (Kafka's `linger.ms`), in
   * milliseconds. Default 0: a batch leaves as soon as none of its partition is under way, and what
   * is sent meanwhile travels together, so batches grow with the load by themselves. Raise it to
   * trade latency for fewer transactions. In a hidden page, where timers run once a minute, it
   * counts as 0. As a page is hidden or left, all that was accepted is posted at once.
   */
  readonly lingerMs?: number;
  /**
   * How large a batch can get (Kafka's `batch.size`), in bytes: a record that no longer fits begins
   * the next one, and the full one leaves at once; a larger record travels alone. Default 1 MiB, a
   * row of the store, where Kafka has 16 KiB: a browser's cost is by transaction. With compression
   * 256 KiB, because the worker that compresses serves every tab, and with gzip a batch keeps it busy
   * for some 10 ms.
   */
  readonly batchBytes?: number;
  /**
   * How much may be buffered and under way (Kafka's `buffer.memory`), in bytes; a `send` beyond it
   * waits for room. Default 32 MiB.
   */
  readonly bufferBytes?: number;
  /**
   * What batches are compressed with, in the worker, and stored so (Kafka's `compression.type`). 'gzip'
   * makes the smallest, 'lz4' and 'snappy' take a fraction of its time; the code of those two is loaded
   * by the first batch. Default 'none'.
   */
  readonly compression?: Compression;
  /**
   * What an ack promises. 'relaxed' (default): the transaction has completed; the record survives a
   * crash of tab and browser. 'strict': it was flushed to the disk too, and survives a power cut as
   * far as the disk does.
   */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * Batches are numbered, so that one whose answer was lost is sent again and stored once, and none
   * overtakes another (Kafka's `enable.idempotence`). Default `true`.
   */
  readonly idempotent?: boolean;
  /**
   * How long an idempotent producer goes on sending a batch again whose worker or storage failed, or
   * whose worker cannot be started now, as when the tab is offline (Kafka's `delivery.timeout.ms`), in
   * milliseconds: again at once, then after 100 ms and twice as long each time up to 1 s. Default
   * 120,000; less than 300,000, for which a partition remembers what it stored: what comes again later
   * could be stored twice.
   */
  readonly deliveryTimeoutMs?: number;
  /**
   * The name of a producer of transactions that survives reloads: whoever takes the name last has it,
   * and transactions of those who had it before fail with `FENCED` (Kafka's `transactional.id`). It is
   * taken by the first `transaction()`, and not by `log.producer()`, where Kafka has
   * `initTransactions`; unused for 7 days, it is forgotten. Such a producer sends within
   * `transaction()` only, and is idempotent. Default: none.
   */
  readonly transactionalId?: string;
  /**
   * How long a transaction may be open (Kafka's `transaction.timeout.ms`), in milliseconds; at least 1.
   * Default 60,000.
   */
  readonly transactionTimeoutMs?: number;
  /** How large the records of a transaction may be in all, in bytes. Default 16 MiB. */
  readonly maxTransactionBytes?: number;
  /** Chooses partitions. Default: Java's murmur2 of the key; without a key, one batch after the other. */
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
