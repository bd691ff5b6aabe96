import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { MessageDelivery } from '../message/partition-progress.ts';
import type { Handling } from '../status/status-observer.ts';

/** A message or batch that a loop delivered to a group's member. */
interface Delivered {
  readonly reader: PartitionReader;
  readonly delivery: MessageDelivery;
  /** The reader's, at the delivery. */
  readonly seekVersion: number;
  /** Timed for `log.status()`, where somebody listens. */
  readonly handling: Handling | undefined;
}

/** The message or batch that a loop delivered last, until the loop asks for the next one. */
export class InFlight {
  readonly #begin: (reader: PartitionReader, offset: number) => Handling | undefined;
  #delivered: Delivered | undefined;

  /** `begin`: `handling` of `MessageLoopOptions`. */
  constructor(begin: (reader: PartitionReader, offset: number) => Handling | undefined) {
    this.#begin = begin;
  }

  /** Notes a delivery of the records from `offset` up to `next`, which it excludes. */
  begin(reader: PartitionReader, offset: number, next: number): void {
    const delivery = reader.progress?.deliver(offset, next);
    if (delivery === undefined) return;
    const { seekVersion } = reader.state;
    const handling = this.#begin(reader, offset);
    this.#delivered = { reader, delivery, seekVersion, handling };
  }

  /** The loop asks for the next message: the last one is processed. */
  finish(): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, delivery } = delivered;
    reader.progress!.finish(delivery);
  }

  /**
   * The loop is left. `commitsItself`: the last message is delivered again, unless it was
   * committed; else it is up to the application to commit it.
   */
  abandon(commitsItself: boolean): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, delivery, seekVersion } = delivered;
    const progress = reader.progress!;
    if (!commitsItself || progress.committed >= delivery.next) return progress.finish(delivery);
    progress.drop(delivery);
    reader.rewind(seekVersion, Math.max(delivery.offset, progress.committed));
  }

  #take(): Delivered | undefined {
    const delivered = this.#delivered;
    this.#delivered = undefined;
    delivered?.handling?.end();
    return delivered;
  }
}
