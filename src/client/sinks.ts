import type { TablogError } from '../base/error.ts';
import type { Sink } from './accumulator.ts';

/** Where a record was stored. */
export interface Placement {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970: the record's own, or the time it was stored, as the topic says. */
  readonly timestamp: number;
}

/** Settles the promise of one `send`. */
export class SingleSink implements Sink {
  readonly #topic: string;
  readonly #resolve: (placement: Placement) => void;
  readonly #reject: (error: Error) => void;

  constructor(topic: string, resolve: (placement: Placement) => void, reject: (error: Error) => void) {
    this.#topic = topic;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  placed(_index: number, partition: number, offset: number, timestamp: number): void {
    this.#resolve({ topic: this.#topic, partition, offset, timestamp });
  }

  failed(_index: number, error: Error): void {
    this.#reject(error);
  }
}

/** Settles the promise of one `sendBatch`, when all of its records have been told their fate. */
export class BatchSink implements Sink {
  readonly #topic: string;
  readonly #placements: Placement[];
  readonly #resolve: (placements: Placement[]) => void;
  readonly #reject: (error: Error) => void;
  #left: number;
  #error: Error | undefined;

  constructor(
    topic: string,
    records: number,
    resolve: (placements: Placement[]) => void,
    reject: (error: Error) => void,
  ) {
    this.#topic = topic;
    this.#left = records;
    this.#placements = Array.from({ length: records });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  placed(index: number, partition: number, offset: number, timestamp: number): void {
    this.#placements[index] = { topic: this.#topic, partition, offset, timestamp };
    this.#settleOne();
  }

  failed(_index: number, error: TablogError): void {
    this.#error ??= error;
    this.#settleOne();
  }

  #settleOne(): void {
    if (--this.#left > 0) return;
    if (this.#error === undefined) this.#resolve(this.#placements);
    else this.#reject(this.#error);
  }
}
