import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { ABORTED } from '../../base/error-rules.ts';
import { TablogError, isLogDeleted, toTablogError } from '../../base/error.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { MAX_APPENDS, MAX_REQUEST_BYTES } from '../../protocol/wire.ts';
import { MAX_IN_FLIGHT } from '../../record/sequence.ts';
import type {
  BatchResult,
  PartitionAccumulator,
  SealedBatch,
} from '../accumulator/partition-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { ExpiryTimer } from '../connection/expiry-timer.ts';
import { isHidden } from '../../platform/page-lifecycle.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';

/**
 * Sends a producer's batches, and retries batches of which it is unknown whether they are stored
 * (Kafka's `Sender`).
 */
export class Sender {
  readonly #connection: Connection;
  readonly #options: CheckedProducerOptions;
  readonly #random: () => number;
  readonly #onSettled: (batch: SealedBatch, result: BatchResult) => void;
  /** Sealed batches that are not settled. */
  readonly #unsettled = new Map<SealedBatch, Deferred>();
  /** Accumulators with records to send. */
  readonly #dirty = new Set<PartitionAccumulator>();
  #cancelLinger: (() => void) | undefined;
  /**
   * Ends the back-off; `undefined` while batches are sent. A back-off begins when a batch fails
   * more than once.
   */
  #cancelBackOff: (() => void) | undefined;
  readonly #expiry: ExpiryTimer;

  constructor(
    connection: Connection,
    options: CheckedProducerOptions,
    random: () => number,
    onSettled: (batch: SealedBatch, result: BatchResult) => void,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#random = random;
    this.#onSettled = onSettled;
    this.#expiry = new ExpiryTimer(connection.clock, (now) => this.#expire(now));
  }

  /** Notes that the accumulator has records to send. */
  add(accumulator: PartitionAccumulator): void {
    this.#dirty.add(accumulator);
    this.#expiry.set(accumulator.expiresAt);
  }

  /** Notes a batch that is sealed, and so is to be sent. */
  sealed(batch: SealedBatch): void {
    this.#unsettled.set(batch, deferred());
    this.#expiry.set(batch.delivery.expiresAt);
  }

  /** Sends all batches; resolves when all of them are settled. */
  async flush(): Promise<void> {
    this.drain('all');
    await Promise.all([...this.#unsettled.values()].map(({ promise }) => promise));
  }

  /** Sends all batches; resolves when one of them is settled. */
  async someSettled(): Promise<void> {
    this.drain('all');
    const unsettled = [...this.#unsettled.values()];
    if (unsettled.length > 0) await Promise.race(unsettled.map(({ promise }) => promise));
  }

  /** Settles, as `ABORTED`, the signal's batches that are neither in flight nor possibly stored. */
  withdraw(signal: AbortSignal): void {
    for (const accumulator of this.#dirty) {
      for (const batch of accumulator.withdraw(signal)) this.#settle(batch, withdrawn(signal));
    }
    this.drain('due');
  }

  /** Cancels the timers. To be called when no batch is left to be sent. */
  close(): void {
    this.#cancelLinger?.();
    this.#expiry.cancel();
  }

  /**
   * Sends batches. 'full': the sealed batches. 'due': also the open batches that are due, which
   * without lingering are those of partitions with no batch in flight. 'all': every batch.
   *
   * While the page leaves, all batches are due, and neither the back-off nor the number of batches
   * in flight delays one. If the page lives on and the answers are lost, the oldest of more than
   * `MAX_IN_FLIGHT` batches end as `OUTCOME_UNKNOWN`, and are never stored twice.
   */
  drain(which: 'full' | 'due' | 'all'): void {
    const { isLeaving } = this.#connection.page;
    if (isLeaving) this.#endBackOff();
    if (this.#cancelBackOff !== undefined) {
      if (which === 'all') for (const accumulator of this.#dirty) accumulator.seal();
      return;
    }
    const batches: SealedBatch[] = [];
    const lingerMs = isHidden() ? 0 : this.#options.lingerMs;
    let isLingering = false;
    for (const accumulator of this.#dirty) {
      const isIdle = accumulator.inFlight === 0 && !accumulator.hasSealed;
      const isDue = which === 'due' && lingerMs === 0 && isIdle;
      if (which === 'all' || isLeaving || isDue) accumulator.seal();
      const limit = isLeaving ? Infinity : MAX_IN_FLIGHT;
      while (accumulator.inFlight < limit) {
        const batch = accumulator.take(limit);
        if (batch === undefined) break;
        const { delivery } = batch;
        if (delivery.isLost) this.#settle(batch, delivery.error);
        else batches.push(batch);
      }
      isLingering ||= accumulator.isOpen;
      if (!accumulator.isOpen && !accumulator.hasSealed) this.#dirty.delete(accumulator);
    }
    for (const batchesOfCall of inCalls(batches)) void this.#produce(batchesOfCall);
    if (isLingering && lingerMs > 0) this.#linger(lingerMs);
  }

  #endBackOff(): void {
    this.#cancelBackOff?.();
    this.#cancelBackOff = undefined;
  }

  #linger(lingerMs: number): void {
    this.#cancelLinger ??= this.#connection.clock.after(lingerMs, () => {
      this.#cancelLinger = undefined;
      this.drain('all');
    });
  }

  async #produce(batches: readonly SealedBatch[]): Promise<void> {
    const { durability, compression, idempotent } = this.#options;
    for (const { delivery } of batches) delivery.sent();
    const appends = batches.map(
      ({ accumulator: { topic, partition }, number = null, keepsOffset, ...batch }) => ({
        topicId: topic.id,
        partition,
        batch: (idempotent ? batch.bytes.slice() : batch.bytes).buffer, // postMessage() transfers it
        compression,
        expectedOffset: batch.expectedOffset,
        ...(batch.isRaw && {
          raw: { producer: number, ...(keepsOffset === true && { keepsOffset }) },
        }),
      }),
    );
    const results = await this.#connection
      .call('produce', { appends, durability })
      .catch((error: unknown) => batches.map(() => toTablogError(error)));
    batches.forEach((batch, i) => {
      const result = results[i]!;
      this.#onResult(batch, 'error' in result ? fromErrorData(result.error) : result);
    });
    this.drain('due');
  }

  #onResult(batch: SealedBatch, result: BatchResult): void {
    if (result instanceof TablogError) {
      if (isLogDeleted(result)) this.#connection.close(result); // the error is per batch
      const { accumulator, delivery, signal } = batch;
      const isRetriable = delivery.failed(result);
      // The batch itself is valid: an earlier batch is missing, or has to be stored first.
      const isOutOfOrder = result.code === 'OUT_OF_ORDER_SEQUENCE';
      const shouldRetry = isOutOfOrder
        ? !delivery.isLate && accumulator.reorder(batch, Number(result.details['expected']))
        : isRetriable;
      if (shouldRetry && signal?.aborted && !delivery.mayBeStored) {
        this.#settle(batch, withdrawn(signal));
      } else if (shouldRetry) this.#retry(batch, isOutOfOrder);
      else this.#settle(batch, delivery.error);
    } else {
      this.#settle(batch, result);
    }
  }

  #retry(batch: SealedBatch, isOutOfOrder: boolean): void {
    const { accumulator, delivery } = batch;
    accumulator.putBack(batch);
    this.#dirty.add(accumulator);
    // The first retry has no back-off, because mostly another worker takes over at once.
    if (!delivery.isRepeated) return;
    // The batch was only sent before an earlier batch that is settled now.
    if (isOutOfOrder && accumulator.hasMoved(batch)) return;
    const ms = delivery.backOffMs(this.#random);
    this.#cancelBackOff ??= this.#connection.clock.after(ms, () => {
      this.#endBackOff();
      this.drain('all');
    });
  }

  #settle(batch: SealedBatch, result: BatchResult): void {
    batch.accumulator.settle(batch, result);
    if (!batch.delivery.isExpired) this.#tell(batch, result);
  }

  /** Tells the callers of the outcome. */
  #tell(batch: SealedBatch, result: BatchResult): void {
    this.#onSettled(batch, result);
    batch.settle(result);
    this.#unsettled.get(batch)?.resolve();
    this.#unsettled.delete(batch);
    if (this.#unsettled.size === 0 && this.#dirty.size === 0) this.#expiry.cancel();
  }

  /**
   * Settles the batches whose `deliveryTimeoutMs` is over. The callers of a batch in flight are
   * told; the batch itself ends with its attempt, because later batches of the partition have to
   * know whether it is stored.
   */
  #expire(now: number): void {
    for (const accumulator of this.#dirty) {
      for (const batch of accumulator.expire(now)) {
        const error = batch.delivery.expire();
        batch.accumulator.settle(batch, error);
        this.#tell(batch, error);
      }
      this.#expiry.set(accumulator.expiresAt);
    }
    for (const batch of this.#unsettled.keys()) {
      const { delivery } = batch;
      if (delivery.isInFlight && delivery.expiresAt <= now) this.#tell(batch, delivery.expire());
      else this.#expiry.set(delivery.expiresAt);
    }
    this.drain('due');
  }
}

/** The batches of each call, in order: one call has a bound of batches and of bytes. */
function inCalls(batches: readonly SealedBatch[]): SealedBatch[][] {
  const calls: SealedBatch[][] = [];
  let left = { batches: 0, bytes: 0 };
  for (const batch of batches) {
    const { byteLength } = batch.bytes;
    if (left.batches === 0 || left.bytes < byteLength) {
      left = { batches: MAX_APPENDS, bytes: MAX_REQUEST_BYTES };
      calls.push([]);
    }
    left.batches--;
    left.bytes -= byteLength;
    calls.at(-1)!.push(batch);
  }
  return calls;
}

function withdrawn({ reason }: AbortSignal): TablogError {
  return new TablogError(ABORTED, 'its signal aborted before it was stored', { cause: reason });
}
