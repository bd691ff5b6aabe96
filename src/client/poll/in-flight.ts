import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { MessageDelivery } from '../message/pending-commit.ts';
import type { Handling } from '../status/status-observer.ts';

/** A message or batch that a loop delivered to a group's member. */
interface Delivered {
  readonly reader: PartitionReader;
  readonly delivery: MessageDelivery;
  /** The reader's `seekVersion` at the delivery. */
  readonly seekVersion: number;
  /** The timer for `log.status()`; `undefined` where nobody listens. */
  readonly handling: Handling | undefined;
}

/** The message or batch that a loop delivered last, until the loop polls again. */
export class InFlight {
  readonly #startHandling: (reader: PartitionReader, offset: number) => Handling | undefined;
  #delivered: Delivered | undefined;

  /** `startHandling`: `handling` of `MessageLoopOptions`. */
  constructor(startHandling: (reader: PartitionReader, offset: number) => Handling | undefined) {
    this.#startHandling = startHandling;
  }

  /** Notes a delivery of the records from `offset` up to, and without, `next`. */
  begin(reader: PartitionReader, offset: number, next: number): void {
    const delivery = reader.progress?.deliver(offset, next);
    if (delivery === undefined) return;
    const { seekVersion } = reader.state;
    const handling = this.#startHandling(reader, offset);
    this.#delivered = { reader, delivery, seekVersion, handling };
  }

  /** Finishes the last delivery, because the loop polls again. */
  finish(): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, delivery } = delivered;
    reader.progress!.finish(delivery);
  }

  /**
   * Ends the last delivery, because the loop was left. `commitsItself`: the consumer commits by
   * itself, so the last message is delivered again, unless it was committed. Otherwise the
   * application decides whether to commit it.
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
