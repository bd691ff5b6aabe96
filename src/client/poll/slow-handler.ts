import type { Clock } from '../../platform/clock.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';

/** A message that has been in the application's hands for long. */
export interface SlowHandler {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the message; of a batch, its first. */
  readonly offset: number;
  /** How long the application has had the message, in milliseconds. */
  readonly elapsedMs: number;
}

export interface SlowHandlerOptions {
  /**
   * How long a handler may take before it is reported, in milliseconds: half of the consumer's
   * `rebalanceTimeoutMs`, after which a group fences a member that does not release a partition.
   */
  readonly afterMs: number;
  /** Called once for each delivery that takes longer. Each attempt of `run()` is a delivery. */
  readonly onSlowHandler: (slow: SlowHandler) => void;
}

interface Delivery {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Reports deliveries that the application has had for longer than it may. */
export class SlowHandlerDetector {
  readonly #clock: Clock;
  readonly #options: SlowHandlerOptions;
  /** The deliveries that were not reported, the oldest first. */
  readonly #deliveries = new Set<Delivery>();
  /** Cancels the timer. One timer serves all deliveries: most end long before it. */
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, options: SlowHandlerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Begins to time a delivery; returns the function that ends it. */
  begin({ topic, partition }: PartitionReader, offset: number): () => void {
    const delivery = { topic: topic.name, partition, offset, since: this.#clock.now() };
    this.#deliveries.add(delivery);
    this.#cancel ??= this.#clock.after(this.#options.afterMs, () => this.#check());
    return () => void this.#deliveries.delete(delivery);
  }

  /** Forgets all deliveries, and leaves no timer. */
  clear(): void {
    this.#deliveries.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #check(): void {
    this.#cancel = undefined;
    const { afterMs, onSlowHandler } = this.#options;
    const now = this.#clock.now();
    for (const delivery of this.#deliveries) {
      const { since, ...at } = delivery;
      const elapsedMs = now - since;
      if (elapsedMs < afterMs) {
        this.#cancel = this.#clock.after(afterMs - elapsedMs, () => this.#check());
        return;
      }
      this.#deliveries.delete(delivery);
      onSlowHandler({ ...at, elapsedMs });
    }
  }
}
