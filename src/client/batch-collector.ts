import type { Clock } from '../base/clock.ts';
import { Undecodable } from './decode-record.ts';
import type { Message } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import { RawRecord } from './raw-record.ts';

export interface BatchCollectorOptions {
  readonly max: number;
  readonly maxWaitMs: number;
  readonly clock: Clock;
  /** Messages that do not become part of a batch, and count as processed with it. */
  readonly isPassedOver: (reader: PartitionReader, message: Message) => boolean;
  /** A batch has waited long enough. */
  readonly onDue: () => void;
}

/** Messages of one partition, in order. */
export interface CollectedBatch {
  readonly reader: PartitionReader;
  readonly epoch: number;
  readonly messages: readonly Message[];
  readonly records: readonly RawRecord[];
  /** The offset after all that was taken. */
  readonly next: number;
}

interface OpenBatch extends CollectedBatch {
  readonly messages: Message[];
  readonly records: RawRecord[];
  next: number;
  /** When it has waited long enough, in milliseconds since 1970. */
  readonly until: number;
  readonly cancel: () => void;
  /** Nothing can be added: the partition has stopped, or a record cannot be decoded. */
  isBlocked: boolean;
}

/** Batches that are being filled, at most one a partition, until they are full or have waited long enough. */
export class BatchCollector {
  readonly #options: BatchCollectorOptions;
  readonly #open = new Map<PartitionReader, OpenBatch>();

  constructor(options: BatchCollectorOptions) {
    this.#options = options;
  }

  has(reader: PartitionReader): boolean {
    return this.#open.has(reader);
  }

  /** Begins a batch with the message that the reader handed out last. */
  begin(reader: PartitionReader, message: Message): void {
    const { clock, maxWaitMs, onDue } = this.#options;
    this.#open.set(reader, {
      reader,
      epoch: reader.epoch,
      messages: [message],
      records: [new RawRecord(reader.cursor!)],
      next: message.offset + 1,
      until: clock.now() + maxWaitMs,
      cancel: maxWaitMs > 0 ? clock.after(maxWaitMs, onDue) : () => {},
      isBlocked: false,
    });
  }

  /** A batch that is complete with what is at hand; the collector does not have it any more. */
  take(): CollectedBatch | undefined {
    const { clock, max } = this.#options;
    for (const batch of this.#open.values()) {
      const { reader, epoch, messages } = batch;
      if (reader.epoch !== epoch) {
        this.#close(batch); // somebody has sought
        continue;
      }
      if (reader.stopped) continue;
      this.#fill(batch);
      const isDue = clock.now() >= batch.until || batch.isBlocked;
      if (messages.length < max && !isDue) continue;
      this.#close(batch);
      return batch;
    }
    return undefined;
  }

  /** The partition is given up: whoever gets it reads what was collected. */
  giveUp(reader: PartitionReader): void {
    const batch = this.#open.get(reader);
    if (batch !== undefined) this.#close(batch);
  }

  /** Has everything that was collected read again. */
  putBack(): void {
    for (const batch of this.#open.values()) {
      const { reader, epoch, messages } = batch;
      this.#close(batch);
      if (reader.epoch === epoch) reader.seek(messages[0]!.offset);
    }
  }

  /** No timer is left. What was collected is forgotten. */
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
      // The next look at the partition tells why it has stopped.
    }
    batch.isBlocked = messages.length < max;
  }

  #close(batch: OpenBatch): void {
    batch.cancel();
    this.#open.delete(batch.reader);
  }
}
