import { DELIVERY_TIMED_OUT, OUTCOME_UNKNOWN } from '../../base/error-rules.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import { TablogError, isAway, isLogDeleted, isUnknown, toTablogError } from '../../base/error.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { backOffMs, retry } from '../../platform/retry.ts';
import type { RetryContext } from '../../platform/retry.ts';

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

export interface DeliveryOptions {
  /** The time of the call that sends, by the clock. Default: now. */
  readonly since?: number;
  /** The errors after which no attempt has stored anything; see `CERTAIN`. */
  readonly certain?: ReadonlySet<ErrorCode>;
}

/**
 * The attempts to deliver one batch or one transaction, from the call until the outcome is known.
 * The request carries producer sequences, so the broker stores the request once, however often it
 * is sent.
 */
export class Delivery {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #until: number;
  readonly #certain: ReadonlySet<ErrorCode> | undefined;
  #attempts = 0;
  #isInFlight = false;
  /** The error that the caller was told as `deliveryTimeoutMs` was over. */
  #expiry: TablogError | undefined;
  #mayBeStored = false;
  #failure: TablogError | undefined;

  /**
   * `deliveryTimeoutMs`: how long the request is retried and its caller waits, in milliseconds
   * (Kafka's `delivery.timeout.ms`); 0: the request is sent once, and its caller waits for that.
   */
  constructor(
    clock: Clock,
    deliveryTimeoutMs: number,
    { since = clock.now(), certain }: DeliveryOptions = {},
  ) {
    this.#clock = clock;
    this.#timeoutMs = deliveryTimeoutMs;
    this.#until = since + deliveryTimeoutMs;
    this.#certain = certain;
  }

  /** The time at which the caller is told, whatever the outcome; `Infinity`: none. */
  get expiresAt(): number {
    return this.#timeoutMs === 0 ? Infinity : this.#until;
  }

  /** Whether the caller was told because `deliveryTimeoutMs` was over. */
  get isExpired(): boolean {
    return this.#expiry !== undefined;
  }

  /** Whether an attempt is under way. */
  get isInFlight(): boolean {
    return this.#isInFlight;
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

  /**
   * Whether `deliveryTimeoutMs` is over, so that the request is not sent again, also when the
   * clock is set back.
   */
  get isLate(): boolean {
    return this.isExpired || this.leftMs === 0;
  }

  /**
   * Whether the outcome can never be known. After `deliveryTimeoutMs` (a tab may have slept) the
   * partition may have dropped the producer's state, and a retry could store the request twice.
   */
  get isLost(): boolean {
    return this.#mayBeStored && this.isLate;
  }

  /** The error for the application where the request is not sent, or not sent again. */
  get error(): TablogError {
    const error = this.#failure ?? this.#expiry!;
    if (!this.#mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
    if (isLogDeleted(error)) return error; // the records are gone with the log, stored or not
    const happened = `it was sent ${this.#attempts} times, and an answer was lost`;
    return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
  }

  /** The time that is left, in milliseconds; 0: none. */
  get leftMs(): number {
    return Math.max(this.#until - this.#clock.now(), 0);
  }

  /** Counts an attempt. */
  sent(): void {
    this.#attempts++;
    this.#isInFlight = true;
  }

  /**
   * Notes that the caller is told, because `deliveryTimeoutMs` is over; returns the error for the
   * caller. An attempt that is under way may still store the request.
   */
  expire(): TablogError {
    if (!this.#isInFlight && this.#failure !== undefined) return (this.#expiry = this.error);
    const rule = this.#isInFlight ? OUTCOME_UNKNOWN : DELIVERY_TIMED_OUT;
    const happened = this.#isInFlight ? 'it was sent and had no answer' : 'it was not sent';
    return (this.#expiry = new TablogError(rule, `${happened} within ${this.#timeoutMs} ms`, {
      details: { deliveryTimeoutMs: this.#timeoutMs },
      cause: this.#failure,
    }));
  }

  /** Notes that the request gets new sequences: no partition has stored the earlier ones. */
  renumbered(): void {
    this.#mayBeStored = false;
  }

  /** Notes the error of a look-up before the request. Returns whether to look it up again. */
  delayed(error: TablogError): boolean {
    this.#failure = error;
    return isAway(error) && !this.isLate;
  }

  /** Notes the error of an attempt. Returns whether to send the request again. */
  failed(error: TablogError): boolean {
    this.#isInFlight = false;
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
    return backOffMs(this.#attempts - 1, this.leftMs, random);
  }
}

/** Settles as `outcome` does; rejects as the delivery expires where that is first. */
export function inTime<T>(clock: Clock, delivery: Delivery, outcome: Promise<T>): Promise<T> {
  if (delivery.expiresAt === Infinity) return outcome;
  return withDeadline(clock, delivery.leftMs, outcome, () => delivery.expire());
}

/**
 * Repeats what has to be looked up before the request is sent, until the delivery is late. The error
 * of the last look-up says more than that the time is over, so the delivery notes it.
 */
export function lookUp<T>(
  context: RetryContext,
  delivery: Delivery,
  work: () => Promise<T>,
): Promise<T> {
  const isRetried = (error: unknown): boolean => delivery.delayed(toTablogError(error));
  return retry(context, { isRetried, deliveryTimeoutMs: delivery.leftMs }, work);
}
