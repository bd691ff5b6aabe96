import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { MessageDelivery } from '../message/partition-progress.ts';

/** A message or batch that a loop delivered to a group's member. */
interface Delivered {
  readonly reader: PartitionReader;
  readonly delivery: MessageDelivery;
  /** The reader's, at the delivery. */
  readonly seekVersion: number;
}

/** The message or batch that a loop delivered last, until the loop asks for the next one. */
export class InFlight {
  #delivered: Delivered | undefined;

  /** Notes a delivery of the records from `offset` up to `next`, which it excludes. */
  begin(reader: PartitionReader, offset: number, next: number): void {
    const delivery = reader.progress?.deliver(offset, next);
    const { seekVersion } = reader.state;
    if (delivery !== undefined) this.#delivered = { reader, delivery, seekVersion };
  }

  /** The loop asks for the next message: the last one is processed. */
  finish(): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, delivery } = delivered;
    reader.progress!.finish(delivery);
  }

  /**
   * The loop is left. `commitsItself`: the last message is delivered again, unless it was committed;
   * else it is up to the application to commit it.
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
    return delivered;
  }
}
