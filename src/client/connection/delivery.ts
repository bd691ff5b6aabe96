import { OUTCOME_UNKNOWN } from '../../base/error-rules.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import { TablogError, isAway, isLogDeleted } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import { backOffMs } from '../../platform/retry.ts';

/**
 * The errors by which a partition itself refuses a batch: the batch is not stored, also where the
 * answer to an earlier attempt was lost. Every other error speaks of one call alone: a disk that is
 * full refuses this attempt, and says nothing of an earlier one. So 'certain' is no outcome.
 *
 * A transaction has no such errors: the partition or member that refuses it now may have taken it
 * with an attempt before.
 */
export const CERTAIN: ReadonlySet<ErrorCode> = new Set(['CONFLICT', 'FENCED', 'UNKNOWN_TOPIC']);

/**
 * How a batch or a transaction fares, from its first attempt until it is known what became of it.
 * It carries producer sequences, so the broker stores it once, however often it is sent.
 */
export class Delivery {
  readonly #clock: Clock;
  readonly #until: number;
  readonly #certain: ReadonlySet<ErrorCode> | undefined;
  #attempts = 0;
  #mayBeStored = false;
  #failure: TablogError | undefined;

  /**
   * `deliveryTimeoutMs`: for how long it is sent again, from now on; 0: never. `certain`: the
   * errors that say of all attempts that nothing is stored.
   */
  constructor(clock: Clock, deliveryTimeoutMs: number, certain?: ReadonlySet<ErrorCode>) {
    this.#clock = clock;
    this.#until = clock.now() + deliveryTimeoutMs;
    this.#certain = certain;
  }

  /** Whether it was sent more than once. */
  get isRepeated(): boolean {
    return this.#attempts > 1;
  }

  /** Whether an answer was lost. */
  get mayBeStored(): boolean {
    return this.#mayBeStored;
  }

  /** Why the last attempt failed; `undefined`: none has. */
  get failure(): TablogError | undefined {
    return this.#failure;
  }

  /** Whether it is too late to send it again. */
  get isLate(): boolean {
    return this.#leftMs <= 0;
  }

  /**
   * Whether it can never be known what became of it: a partition may have forgotten by now that it
   * stored it, as after the tab has slept.
   */
  get isLost(): boolean {
    return this.#mayBeStored && this.isLate;
  }

  /** What the application is told where it is not sent again. */
  get error(): TablogError {
    const error = this.#failure!;
    if (!this.#mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
    if (isLogDeleted(error)) return error; // wherever the record was stored, the log is gone
    const happened = `it was sent ${this.#attempts} times, and an answer was lost`;
    return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
  }

  get #leftMs(): number {
    return this.#until - this.#clock.now();
  }

  /** Notes that it is sent. */
  sent(): void {
    this.#attempts++;
  }

  /** Notes that it gets other numbers: those of earlier attempts are in no partition. */
  renumbered(): void {
    this.#mayBeStored = false;
  }

  /** Notes why an attempt failed. Returns whether to send it again. */
  failed(error: TablogError): boolean {
    this.#failure = error;
    if (error.outcome === 'unknown') this.#mayBeStored = true;
    if (this.#certain?.has(error.code)) this.#mayBeStored = false;
    return ((error.retriable && this.#mayBeStored) || isAway(error)) && !this.isLate;
  }

  /**
   * The wait before the next attempt, in milliseconds. Of a delivery that `isRepeated`: the second
   * attempt comes at once, because most often another worker takes over.
   */
  backOffMs(random: () => number): number {
    return backOffMs(this.#attempts - 1, this.#leftMs, random);
  }
}
