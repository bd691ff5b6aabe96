import type { Clock } from '../../platform/clock.ts';
import { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import { RawRecord } from '../message/raw-record.ts';

export interface BatchCollectorOptions {
  readonly max: number;
  readonly maxWaitMs: number;
  readonly clock: Clock;
  /**
   * Whether a message is left out of its batch. A message that is left out counts as processed with
   * the batch.
   */
  readonly isPassedOver: (reader: PartitionReader, message: Message) => boolean;
  /** Called when a batch has waited for `maxWaitMs`. */
  readonly onDue: () => void;
}

/** Consecutive messages of one partition. */
export interface CollectedBatch {
  readonly reader: PartitionReader;
  /** The reader's `seekVersion` when the first message was polled. */
  readonly seekVersion: number;
  readonly messages: readonly Message[];
  readonly records: readonly RawRecord[];
  /** The offset after the last polled message; messages that are left out count as well. */
  readonly next: number;
}

interface OpenBatch extends CollectedBatch {
  readonly messages: Message[];
  readonly records: RawRecord[];
  next: number;
  /** The time at which the batch stops waiting for more messages, in milliseconds since 1970. */
  readonly until: number;
  readonly cancel: () => void;
  /**
   * Whether the batch can take no more messages, because the partition has stopped or its next
   * record cannot be decoded.
   */
  isBlocked: boolean;
}

/**
 * Fills batches, at most one for each partition. A batch is ready when it is full or has waited for
 * `maxWaitMs`.
 */
export class BatchCollector {
  readonly #options: BatchCollectorOptions;
  readonly #open = new Map<PartitionReader, OpenBatch>();

  constructor(options: BatchCollectorOptions) {
    this.#options = options;
  }

  has(reader: PartitionReader): boolean {
    return this.#open.has(reader);
  }

  /** Begins a batch with the message that the reader returned last. */
  begin(reader: PartitionReader, message: Message): void {
    const { clock, maxWaitMs, onDue } = this.#options;
    this.#open.set(reader, {
      reader,
      seekVersion: reader.state.seekVersion,
      messages: [message],
      records: [new RawRecord(reader.cursor!)],
      next: message.offset + 1,
      until: clock.now() + maxWaitMs,
      cancel: maxWaitMs > 0 ? clock.after(maxWaitMs, onDue) : () => {},
      isBlocked: false,
    });
  }

  /** Removes a batch that is full or due from the collector, and returns it. */
  takeReady(): CollectedBatch | undefined {
    const { clock, max } = this.#options;
    for (const batch of this.#open.values()) {
      const { reader, seekVersion, messages } = batch;
      if (!reader.state.isCurrent(seekVersion)) {
        this.#close(batch);
        continue;
      }
      this.#fill(batch);
      const isDue = clock.now() >= batch.until || batch.isBlocked;
      if (messages.length < max && !isDue) continue;
      this.#close(batch);
      return batch;
    }
    return undefined;
  }

  /**
   * Drops the batch of a partition that the member releases; the next member reads its messages.
   */
  giveUp(reader: PartitionReader): void {
    const batch = this.#open.get(reader);
    if (batch !== undefined) this.#close(batch);
  }

  /** Puts all collected messages back, to be polled again. */
  putBack(): void {
    for (const batch of this.#open.values()) {
      const { reader, seekVersion, messages } = batch;
      this.#close(batch);
      if (reader.state.isCurrent(seekVersion)) reader.seek(messages[0]!.offset);
    }
  }

  /** Drops all batches and cancels their timers. */
  close(): void {
    for (const batch of this.#open.values()) this.#close(batch);
  }

  #fill(batch: OpenBatch): void {
    const { max, isPassedOver } = this.#options;
    const { reader, messages, records } = batch;
    try {
      while (messages.length < max) {
        const message = reader.next();
        if (message === undefined) return;
        if (message instanceof Undecodable) {
          reader.putBack();
          break;
        }
        batch.next = message.offset + 1;
        if (isPassedOver(reader, message)) continue;
        messages.push(message);
        records.push(new RawRecord(reader.cursor!));
      }
    } catch {
      // The reader keeps the error, and its next read throws the error again.
    }
    batch.isBlocked = messages.length < max;
  }

  #close(batch: OpenBatch): void {
    batch.cancel();
    this.#open.delete(batch.reader);
  }
}
