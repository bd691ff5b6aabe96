import { OUTCOME_UNKNOWN } from '../../base/error-rules.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import { TablogError, isAway, isLogDeleted, isUnknown } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import { backOffMs } from '../../platform/retry.ts';

/**
 * The errors by which a partition refuses a batch for good: no attempt has stored the batch, even
 * where the answer to an earlier attempt was lost. Every other error is about one attempt: a full
 * disk refuses this attempt, but an earlier attempt may have stored the batch. An `Outcome` is
 * about one attempt as well, so these errors are a set of their own.
 *
 * A transaction has no such errors: a partition or group that refuses this attempt may have
 * accepted an earlier one.
 */
export const CERTAIN: ReadonlySet<ErrorCode> = new Set(['CONFLICT', 'FENCED', 'UNKNOWN_TOPIC']);

/**
 * The attempts to deliver one batch or one transaction, from the first attempt until the outcome is
 * known. The request carries producer sequences, so the broker stores the request once, however
 * often it is sent.
 */
export class Delivery {
  readonly #clock: Clock;
  readonly #until: number;
  readonly #certain: ReadonlySet<ErrorCode> | undefined;
  #attempts = 0;
  #mayBeStored = false;
  #failure: TablogError | undefined;

  /**
   * `deliveryTimeoutMs`: how long from now the request is retried, in milliseconds; 0: never
   * (Kafka's `delivery.timeout.ms`). `certain`: the errors after which no attempt has stored
   * anything; see `CERTAIN`.
   */
  constructor(clock: Clock, deliveryTimeoutMs: number, certain?: ReadonlySet<ErrorCode>) {
    this.#clock = clock;
    this.#until = clock.now() + deliveryTimeoutMs;
    this.#certain = certain;
  }

  /** Whether the request was sent more than once. */
  get isRepeated(): boolean {
    return this.#attempts > 1;
  }

  /** Whether an attempt may have stored the request, because its answer was lost. */
  get mayBeStored(): boolean {
    return this.#mayBeStored;
  }

  /** The error of the last failed attempt; `undefined`: no attempt has failed. */
  get failure(): TablogError | undefined {
    return this.#failure;
  }

  /** Whether `deliveryTimeoutMs` is over, so that the request is not sent again. */
  get isLate(): boolean {
    return this.#leftMs <= 0;
  }

  /**
   * Whether the outcome can never be known. After `deliveryTimeoutMs` (a tab may have slept) the
   * partition may have dropped the producer's state, and a retry could store the request twice.
   */
  get isLost(): boolean {
    return this.#mayBeStored && this.isLate;
  }

  /** The error for the application where the request is not sent again. */
  get error(): TablogError {
    const error = this.#failure!;
    if (!this.#mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
    if (isLogDeleted(error)) return error; // the records are gone with the log, stored or not
    const happened = `it was sent ${this.#attempts} times, and an answer was lost`;
    return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
  }

  get #leftMs(): number {
    return this.#until - this.#clock.now();
  }

  /** Counts an attempt. */
  sent(): void {
    this.#attempts++;
  }

  /** Notes that the request gets new sequences: no partition has stored the earlier ones. */
  renumbered(): void {
    this.#mayBeStored = false;
  }

  /** Notes the error of an attempt. Returns whether to send the request again. */
  failed(error: TablogError): boolean {
    this.#failure = error;
    if (isUnknown(error)) this.#mayBeStored = true;
    if (this.#certain?.has(error.code)) this.#mayBeStored = false;
    return ((error.retriable && this.#mayBeStored) || isAway(error)) && !this.isLate;
  }

  /**
   * The wait before the next attempt, in milliseconds. Call it only where `isRepeated`: the second
   * attempt comes at once, because after a lost answer another worker usually takes over.
   */
  backOffMs(random: () => number): number {
    return backOffMs(this.#attempts - 1, this.#leftMs, random);
  }
}
