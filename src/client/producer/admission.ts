import { isError } from '../../base/brand.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { toTablogError } from '../../base/error.ts';
import { retry } from '../../platform/retry.ts';
import { Queue } from '../../base/queue.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { Connection } from '../connection/connection.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/** What one call sends. */
export interface Submission {
  /** The topic's name. */
  readonly topic: string;
  /** Withdraws it. */
  readonly signal: AbortSignal | undefined;
  /** Whether all of it keeps the topic's rules. */
  accepts(topic: TopicInfo): boolean;
  /** Puts all of it into the buffer; throws, and adds nothing, where a part breaks a rule. */
  add(topic: TopicInfo): void;
  /** Copies the bytes that the caller may reuse after the call. */
  own(): void;
  /** Nothing of it was taken, because of `reason`. */
  refuse(reason: unknown): void;
}

/** A submission that waits until its topic is known, or for room. */
interface Waiting {
  readonly submission: Submission;
  /** Resolves once the submission is in the buffer; present when a `flush` waits for it. */
  admitted: Deferred | undefined;
}

/** The buffer that submissions are admitted to. */
export interface Buffer {
  readonly hasRoom: boolean;
  /** Resolves when room may have been made. */
  roomMade(): Promise<void>;
  /** Called when a submission was added and no other waits: batches that are due leave soon. */
  drainSoon(): void;
  /** Called when every waiting submission has been admitted: they travel together. */
  admittedAll(): void;
}

export interface AdmissionOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly buffer: Buffer;
  /** How long a topic is asked for while the worker or the storage is away, in milliseconds. */
  readonly deliveryTimeoutMs: number;
}

/**
 * Admits submissions to a producer's buffer, in order, once their topic is known and there is room:
 * within the call, where both hold already.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Queue<Waiting>();
  #isAdmitting = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Takes the submission, or refuses it where it breaks the rules of a topic that is known. */
  accept(submission: Submission): void {
    const { buffer, connection, topicMetadata } = this.#options;
    const { isLeaving } = connection.page;
    // While the page leaves, only submissions to topics not yet known are waiting.
    const name = submission.topic;
    const topic = isLeaving ? topicMetadata.lastKnown(name) : topicMetadata.get(name);
    const isNext = isLeaving || (!this.#isAdmitting && buffer.hasRoom);
    if (topic !== undefined && isNext && (isLeaving || !this.#isRefusedByAge(topic, submission))) {
      this.#add(submission, topic);
      return;
    }
    submission.own();
    this.#waiting.push({ submission, admitted: undefined });
    if (!this.#isAdmitting) void this.#admitAll();
  }

  /**
   * Resolves when all that was accepted so far is in the buffer; `undefined` when it already is.
   */
  admitted(): Promise<void> | undefined {
    const { last } = this.#waiting;
    return last === undefined ? undefined : (last.admitted ??= deferred()).promise;
  }

  /** Admits all submissions to known topics at once: the page may be in its last turn. */
  leave(): void {
    const { topicMetadata } = this.#options;
    this.#takeOut(({ topic }) => topicMetadata.lastKnown(topic), this.#add);
  }

  /** Refuses all submissions that the signal withdraws. */
  withdraw(signal: AbortSignal): void {
    this.#takeOut(
      (submission) => (submission.signal === signal ? signal : undefined),
      (submission) => submission.refuse(signal.reason),
    );
  }

  async #admitAll(): Promise<void> {
    const { buffer, topicMetadata } = this.#options;
    this.#isAdmitting = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      const { submission } = next;
      const name = submission.topic;
      let topic: TopicInfo | undefined;
      let failure: unknown;
      try {
        while (!buffer.hasRoom) await buffer.roomMade();
        topic = topicMetadata.get(name) ?? (await this.#load(name));
        if (this.#isRefusedByAge(topic, submission)) topic = await this.#load(name);
      } catch (error) {
        topic = undefined;
        failure = error;
      }
      if (this.#waiting.first !== next) continue; // it was taken out meanwhile
      this.#waiting.shift();
      if (topic === undefined) submission.refuse(asError(failure));
      else this.#add(submission, topic);
      next.admitted?.resolve();
    }
    this.#isAdmitting = false;
    buffer.admittedAll();
  }

  /** Hands the waiting submissions for which `choose` has something to `take`, in order. */
  #takeOut<T>(
    choose: (submission: Submission) => T | undefined,
    take: (submission: Submission, chosen: T) => void,
  ): void {
    let before: Waiting | undefined;
    for (let left = this.#waiting.length; left > 0; left--) {
      const waiting = this.#waiting.shift()!;
      const { submission, admitted } = waiting;
      const chosen = choose(submission);
      if (chosen === undefined) {
        this.#waiting.push(waiting);
        before = waiting;
        continue;
      }
      take(submission, chosen);
      if (admitted === undefined) continue;
      // A flush waits for all that was sent before it.
      if (before === undefined) admitted.resolve();
      else void (before.admitted ??= deferred()).promise.then(admitted.resolve);
    }
  }

  readonly #add = (submission: Submission, topic: TopicInfo): void => {
    try {
      submission.add(topic);
    } catch (error) {
      submission.refuse(asError(error));
      return;
    }
    const { buffer, connection } = this.#options;
    if (!this.#isAdmitting || connection.page.isLeaving) buffer.drainSoon();
  };

  /**
   * Whether the topic's rules, as remembered, refuse the submission and may be out of date: a
   * look-up decides.
   */
  #isRefusedByAge(topic: TopicInfo, submission: Submission): boolean {
    return !this.#options.topicMetadata.isCurrent && !submission.accepts(topic);
  }

  #load(name: string): Promise<TopicInfo> {
    const { connection, deliveryTimeoutMs, topicMetadata } = this.#options;
    return retry(connection, { deliveryTimeoutMs }, () => topicMetadata.load(name));
  }
}

export function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  // An error of another realm is wrapped: sinks tell errors by `instanceof`.
  return isError(error) ? new Error(error.message, { cause: error }) : toTablogError(error);
}
