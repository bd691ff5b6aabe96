import { sendDeadLetter } from '../poll/dead-letter.ts';
import { decodeErrorAction } from '../poll/decode-errors.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import type { Job } from './job.ts';
import { DelayedJobs } from './delayed-jobs.ts';
import { RetryAfter } from './retry-after.ts';
import { verdictOn } from './run-options.ts';
import type { CheckedRunOptions, Verdict } from './run-options.ts';
import { asTopic } from '../topics/topic.ts';

export interface JobHandlerOptions {
  readonly run: CheckedRunOptions;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly decodeErrors: DecodeErrorPolicy;
  /**
   * Whether the consumer was given an `onDecodeError`, which takes precedence over the run's
   * `onError`.
   */
  readonly decidesOnDecodeErrors: boolean;
  /** Whether a job is obsolete: its messages come again, here or at another member. */
  readonly isOver: (job: Job) => boolean;
  /** Whether messages may be handed to the application now. */
  readonly mayDeliver: () => boolean;
  /** Whether one more handler may run. */
  readonly hasRoom: () => boolean;
  /** Resolves when `mayDeliver` or `hasRoom` may have changed. */
  readonly change: () => Promise<void>;
  /**
   * Called when a job begins to wait, for its next attempt or to be buried: its place is free for
   * another.
   */
  readonly onWait: () => void;
}

/** The end of a job: its messages are processed, or dropped to come again. */
type JobEnd = 'processed' | 'dropped';

/** Runs a job's handler until it succeeds or its errors are dealt with. */
export class JobHandler {
  readonly #options: JobHandlerOptions;
  readonly #putOff: DelayedJobs;
  /**
   * Jobs that run no handler: before their next attempt, until there is room for one, or while they
   * are buried.
   */
  readonly #waiting = new Set<Job>();
  /** Waiting jobs whose next attempt is due. */
  readonly #due = new Set<Job>();

  constructor(options: JobHandlerOptions) {
    this.#options = options;
    this.#putOff = new DelayedJobs(options.decodeErrors.connection.clock);
  }

  /** Resolves when the job is over; rejects to stop the run. */
  async handle(job: Job): Promise<JobEnd> {
    const { isOver } = this.#options;
    if (job.isPassedOver) return 'processed';
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      const failed = await this.#attempt(job, attempt);
      if (failed === undefined) return 'processed';
      if (isOver(job)) return 'dropped';
      const { error } = failed;
      if (RetryAfter.msOf(error) === undefined) failures++;
      const verdict = await this.#verdictOn(job, error, attempt, failures);
      if (verdict === 'stop') throw error;
      if (verdict === 'skip') return 'processed';
      if (verdict === 'deadLetter') {
        return (await this.#bury(job, error, attempt)) ? 'processed' : 'dropped';
      }
      if (!isOver(job)) await this.#wait(job, verdict.retryAfterMs);
      if (isOver(job)) return 'dropped';
    }
  }

  /** The number of jobs that wait and run no handler. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The number of waiting jobs that are due. They go before jobs that have not begun. */
  get due(): number {
    return [...this.#due].filter(({ reader }) => !reader.paused).length;
  }

  /** Ends the wait of jobs for their next attempt. */
  wake(which: (job: Job) => boolean): void {
    this.#putOff.wake(which);
  }

  /** Calls the handler once: the error that it threw, or `undefined`. */
  async #attempt(job: Job, attempt: number): Promise<{ readonly error: unknown } | undefined> {
    if (job.undecodable !== undefined) return job.undecodable;
    const { run, closing } = this.#options;
    const signal = job.reader.progress?.signal ?? closing;
    try {
      await run.handle(job.subject, { signal, attempt, retryAfter });
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  async #verdictOn(
    { subject, undecodable }: Job,
    error: unknown,
    attempt: number,
    failures: number,
  ): Promise<Verdict> {
    const retryAfterMs = RetryAfter.msOf(error);
    if (retryAfterMs !== undefined) return { retryAfterMs };
    const { run, decidesOnDecodeErrors, decodeErrors } = this.#options;
    if (undecodable !== undefined && decidesOnDecodeErrors) {
      const { deadLetterTopic } = run;
      const action = await decodeErrorAction({ ...decodeErrors, deadLetterTopic }, undecodable);
      return action === 'fail' ? 'stop' : action;
    }
    const isFinal = undecodable !== undefined;
    return verdictOn(run, { error, subject, attempt, failures, isFinal });
  }

  /**
   * Buries a job. With a group the dead letter waits for every earlier message of its partition, so
   * the job leaves its place: an earlier one may need it.
   */
  async #bury(job: Job, error: unknown, attempts: number): Promise<boolean> {
    const { run, decodeErrors, onWait } = this.#options;
    const topic = asTopic(run.deadLetterTopic!);
    const isOver = (): boolean => this.#options.isOver(job);
    this.#waiting.add(job);
    onWait();
    try {
      return await sendDeadLetter({ ...decodeErrors, topic, isOver }, job, error, attempts);
    } finally {
      this.#waiting.delete(job);
    }
  }

  /** Waits until the next attempt is due and a handler may run. */
  async #wait(job: Job, ms: number): Promise<void> {
    const { isOver, mayDeliver, hasRoom, change, onWait } = this.#options;
    this.#waiting.add(job);
    const due = this.#putOff.wait(job, ms); // before a handler that starts now can end the wait
    onWait();
    await due;
    this.#due.add(job);
    const isKeptBack = (): boolean => !mayDeliver() || job.reader.paused || !hasRoom();
    while (isKeptBack() && !isOver(job)) await change();
    this.#due.delete(job);
    this.#waiting.delete(job);
  }
}

function retryAfter(ms: number, cause?: unknown): Error {
  return new RetryAfter(ms, cause);
}
