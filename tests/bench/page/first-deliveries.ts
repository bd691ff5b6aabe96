import type { Consumer } from '../../../src/index.ts';
import { now } from './now.ts';

/** Partitions, and when the first message of each came. */
export type Delivered = readonly (readonly [partition: number, at: number])[];

/** The other side, in Node. */
declare function tell(delivered: Delivered): Promise<void>;

/**
 * Reads, and tells when the first message came of each partition that the consumer got: all of them
 * together, so that the telling delays none.
 */
export class FirstDeliveries {
  readonly #consumer: Consumer;
  readonly #missing = new Set<number>();
  #delivered: [number, number][] = [];

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
    consumer.on('assigned', ({ partitions }) => {
      for (const { partition } of partitions) this.#missing.add(partition);
    });
    consumer.on('revoked', ({ partitions }) => {
      for (const { partition } of partitions) this.#missing.delete(partition);
      this.#tellAll();
    });
  }

  async read(): Promise<void> {
    for await (const { partition } of this.#consumer) {
      if (!this.#missing.delete(partition)) continue;
      this.#delivered.push([partition, now()]);
      this.#tellAll();
    }
  }

  #tellAll(): void {
    if (this.#missing.size > 0 || this.#delivered.length === 0) return;
    void tell(this.#delivered);
    this.#delivered = [];
  }
}
