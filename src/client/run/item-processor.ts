import { sendDeadLetter } from '../poll/dead-letter.ts';
import { decodeErrorAction } from '../poll/decode-errors.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import { asTopic } from '../topics/topic.ts';
import type { Handling } from '../status/status-observer.ts';
import { resolveDecision } from './error-decision.ts';
import type { ResolvedDecision } from './error-decision.ts';
import { RetryAfter } from './retry-after.ts';
import { RetryTimers } from './retry-timers.ts';
import type { CheckedRunOptions } from './check-run-options.ts';
import type { ItemEnd, WorkItem } from './work-item.ts';

export interface ItemProcessorOptions {
  readonly run: CheckedRunOptions;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly decodeErrors: DecodeErrorPolicy;
  /**
   * Whether the consumer was given an `onDecodeError`, which takes precedence over the run's
   * `onError`.
   */
  readonly decidesOnDecodeErrors: boolean;
  /**
   * Whether an item is obsolete, because its messages are delivered again, here or to another
   * member.
   */
  readonly isOver: (item: WorkItem) => boolean;
  /** Whether messages may be delivered to the application now. */
  readonly mayDeliver: () => boolean;
  /** Whether one more handler may run. */
  readonly hasFreeSlot: () => boolean;
  /** Resolves when `mayDeliver` or `hasFreeSlot` may have changed. */
  readonly change: () => Promise<void>;
  /**
   * Called when an item begins to wait, for its next attempt or to become a dead letter: its
   * handler slot is free for another item.
   */
  readonly onSlotFreed: () => void;
  /**
   * Reports to the status observer that a handler runs; returns `undefined` without an observer.
   */
  readonly handling: (item: WorkItem) => Handling | undefined;
}

/** Takes a work item through its handler: attempts, delays, and the action on its last error. */
export class ItemProcessor {
  readonly #options: ItemProcessorOptions;
  readonly #timers: RetryTimers;
  /**
   * Items without a handler slot: items whose next attempt is not due yet or has no free slot, and
   * items that are becoming dead letters.
   */
  readonly #waiting = new Set<WorkItem>();
  /** Waiting items whose next attempt is due. */
  readonly #due = new Set<WorkItem>();

  constructor(options: ItemProcessorOptions) {
    this.#options = options;
    this.#timers = new RetryTimers(options.decodeErrors.connection.clock);
  }

  /** Resolves when the item has ended; rejects to stop the run. */
  async process(item: WorkItem): Promise<ItemEnd> {
    const { isOver } = this.#options;
    if (item.isPassedOver) return 'processed';
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      const failed = await this.#attempt(item, attempt);
      if (failed === undefined) return 'processed';
      if (isOver(item)) return 'dropped';
      const { error } = failed;
      if (RetryAfter.msOf(error) === undefined) failures++;
      const decision = await this.#decide(item, error, attempt, failures);
      if (decision === 'stop') throw error;
      if (decision === 'skip') return 'processed';
      if (decision === 'deadLetter') return this.#deadLetter(item, error, attempt);
      if (!isOver(item)) await this.#delay(item, decision.retryAfterMs);
      if (isOver(item)) return 'dropped';
    }
  }

  /** The number of items that wait, without a handler slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * The number of waiting items whose next attempt is due and whose partition is not paused. Due
   * items come before items that were not started.
   */
  get due(): number {
    return [...this.#due].filter(({ reader }) => !reader.isPaused).length;
  }

  /** Ends the delay of the items for which `which` returns true. */
  wake(which: (item: WorkItem) => boolean): void {
    this.#timers.wake(which);
  }

  /** Calls the handler once. Resolves with the error that the handler threw, or `undefined`. */
  async #attempt(
    item: WorkItem,
    attempt: number,
  ): Promise<{ readonly error: unknown } | undefined> {
    if (item.undecodable !== undefined) return item.undecodable;
    const { run, closing, handling } = this.#options;
    const signal = item.reader.progress?.signal ?? closing;
    const handled = handling(item);
    try {
      await run.handle(item.subject, { signal, attempt, retryAfter });
      return undefined;
    } catch (error) {
      return { error };
    } finally {
      handled?.end();
    }
  }

  async #decide(
    { subject, undecodable }: WorkItem,
    error: unknown,
    attempt: number,
    failures: number,
  ): Promise<ResolvedDecision> {
    const retryAfterMs = RetryAfter.msOf(error);
    if (retryAfterMs !== undefined) return { retryAfterMs };
    const { run, decidesOnDecodeErrors, decodeErrors } = this.#options;
    if (undecodable !== undefined && decidesOnDecodeErrors) {
      const { deadLetterTopic } = run;
      const action = await decodeErrorAction({ ...decodeErrors, deadLetterTopic }, undecodable);
      return action === 'fail' ? 'stop' : action;
    }
    const isFinal = undecodable !== undefined;
    return resolveDecision(run, { error, subject, attempt, failures, isFinal });
  }

  /**
   * Stores an item in the dead letter topic. With a group the dead letter waits until every earlier
   * message of its partition is processed. The item frees its handler slot, because an earlier
   * message may need the slot.
   */
  async #deadLetter(item: WorkItem, error: unknown, attempts: number): Promise<ItemEnd> {
    const { run, decodeErrors, onSlotFreed } = this.#options;
    const topic = asTopic(run.deadLetterTopic!);
    const isOver = (): boolean => this.#options.isOver(item);
    this.#waiting.add(item);
    onSlotFreed();
    try {
      const queue = { ...decodeErrors, topic, isOver };
      return (await sendDeadLetter(queue, item, error, attempts)) ? 'processed' : 'dropped';
    } finally {
      this.#waiting.delete(item);
    }
  }

  /** Waits until the next attempt is due and a handler slot is free. */
  async #delay(item: WorkItem, ms: number): Promise<void> {
    const { isOver, mayDeliver, hasFreeSlot, change, onSlotFreed } = this.#options;
    this.#waiting.add(item);
    // The timer is set before another handler gets the slot: that handler may end the delay.
    const delayed = this.#timers.delay(item, ms);
    onSlotFreed();
    await delayed;
    this.#due.add(item);
    const isKeptBack = (): boolean => !mayDeliver() || item.reader.isPaused || !hasFreeSlot();
    while (isKeptBack() && !isOver(item)) await change();
    this.#due.delete(item);
    this.#waiting.delete(item);
  }
}

function retryAfter(ms: number, cause?: unknown): Error {
  return new RetryAfter(ms, cause);
}
