import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { ABORTED } from '../../base/error-rules.ts';
import { TablogError, isLogDeleted, toTablogError } from '../../base/error.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { MAX_IN_FLIGHT } from '../../record/sequence.ts';
import type {
  BatchResult,
  PartitionAccumulator,
  SealedBatch,
} from '../accumulator/partition-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { isHidden } from '../../platform/page-lifecycle.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';

/** Sends a producer's batches, and again those of which it is not known whether they are stored. */
export class Sender {
  readonly #connection: Connection;
  readonly #options: CheckedProducerOptions;
  readonly #random: () => number;
  readonly #onSettled: (batch: SealedBatch, result: BatchResult) => void;
  /** Batches that take no more records, until they are settled. */
  readonly #unsettled = new Map<SealedBatch, Deferred>();
  /** Accumulators with something to send. */
  readonly #dirty = new Set<PartitionAccumulator>();
  #cancelLinger: (() => void) | undefined;
  /** While nothing is sent, because something failed more than once. */
  #cancelBackOff: (() => void) | undefined;

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
  }

  /** The accumulator has something to send. */
  add(accumulator: PartitionAccumulator): void {
    this.#dirty.add(accumulator);
  }

  /** The batch is to be sent. */
  sealed(batch: SealedBatch): void {
    this.#unsettled.set(batch, deferred());
  }

  /** Sends all; resolves when it is known what became of it. */
  async flush(): Promise<void> {
    this.drain('all');
    await Promise.all([...this.#unsettled.values()].map(({ promise }) => promise));
  }

  /** Sends all; resolves when it is known what became of some of it. */
  async someSettled(): Promise<void> {
    this.drain('all');
    const unsettled = [...this.#unsettled.values()];
    if (unsettled.length > 0) await Promise.race(unsettled.map(({ promise }) => promise));
  }

  /** Settles, as `ABORTED`, the signal's batches that are neither under way nor possibly stored. */
  withdraw(signal: AbortSignal): void {
    for (const accumulator of this.#dirty) {
      // The newest first, so that the numbers of batches that were sent before are free again.
      const batches = accumulator.withdraw(signal).reverse();
      for (const batch of batches) this.#settle(batch, withdrawn(signal));
    }
    this.drain('due');
  }

  /** When nothing is left to be sent. */
  close(): void {
    this.#cancelLinger?.();
  }

  /**
   * Sends batches: the full ones; those that are due as well, which without lingering are those of
   * partitions with nothing under way; or all.
   *
   * In a page that leaves, all batches are due, and neither back-off nor the number of batches
   * under way delays one. Should the page live on and the answers be lost, the oldest of more than
   * `MAX_IN_FLIGHT` batches end as `OUTCOME_UNKNOWN`, never twice in the log.
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
    let lingering = false;
    for (const accumulator of this.#dirty) {
      const idle = accumulator.inFlight === 0 && !accumulator.hasSealed;
      const isDue = which === 'due' && lingerMs === 0 && idle;
      if (which === 'all' || isLeaving || isDue) accumulator.seal();
      const limit = isLeaving ? Infinity : MAX_IN_FLIGHT;
      while (accumulator.inFlight < limit) {
        const batch = accumulator.take(limit);
        if (batch === undefined) break;
        const { delivery } = batch;
        if (delivery.isLost) this.#settle(batch, delivery.error);
        else batches.push(batch);
      }
      lingering ||= accumulator.isOpen;
      if (!accumulator.isOpen && !accumulator.hasSealed) this.#dirty.delete(accumulator);
    }
    if (batches.length > 0) void this.#produce(batches);
    if (lingering && lingerMs > 0) this.#linger(lingerMs);
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
      ({ accumulator: { topic, partition }, bytes, expectedOffset, isRaw, number = null }) => ({
        topicId: topic.id,
        partition,
        batch: (idempotent ? bytes.slice() : bytes).buffer, // which is transferred, and gone
        compression,
        expectedOffset,
        ...(isRaw && { raw: { producer: number } }),
      }),
    );
    const results = await this.#connection
      .call('produce', { appends, durability })
      .catch((error: unknown) => batches.map(() => toTablogError(error)));
    batches.forEach((batch, i) => {
      const result = results[i]!;
      this.#heard(batch, 'error' in result ? fromErrorData(result.error) : result);
    });
    this.drain('due');
  }

  #heard(batch: SealedBatch, result: BatchResult): void {
    if (result instanceof TablogError) {
      if (isLogDeleted(result)) this.#connection.close(result); // no call says so: each batch does
      const { accumulator, delivery, signal } = batch;
      const passes = delivery.failed(result);
      // The batch itself is well: one before it is missing, or has to come first.
      const isOutOfOrder = result.code === 'OUT_OF_ORDER_SEQUENCE';
      const isToRepeat = isOutOfOrder
        ? !delivery.isLate && accumulator.reorder(batch, Number(result.details['expected']))
        : passes;
      if (isToRepeat && signal?.aborted && !delivery.mayBeStored) {
        this.#settle(batch, withdrawn(signal));
      } else if (isToRepeat) this.#repeat(batch, isOutOfOrder);
      else this.#settle(batch, delivery.error);
    } else {
      this.#settle(batch, result);
    }
  }

  #repeat(batch: SealedBatch, isOutOfOrder: boolean): void {
    const { accumulator, delivery } = batch;
    accumulator.putBack(batch);
    this.#dirty.add(accumulator);
    if (!delivery.isRepeated) return; // most often another worker takes over at once
    // It was only behind one that is settled now.
    if (isOutOfOrder && accumulator.hasMoved(batch)) return;
    const ms = delivery.backOffMs(this.#random);
    this.#cancelBackOff ??= this.#connection.clock.after(ms, () => {
      this.#endBackOff();
      this.drain('all');
    });
  }

  #settle(batch: SealedBatch, result: BatchResult): void {
    this.#onSettled(batch, result);
    batch.accumulator.settle(batch, result);
    this.#unsettled.get(batch)?.resolve();
    this.#unsettled.delete(batch);
  }
}

function withdrawn({ reason }: AbortSignal): TablogError {
  return new TablogError(ABORTED, 'its signal aborted before it was stored', { cause: reason });
}
