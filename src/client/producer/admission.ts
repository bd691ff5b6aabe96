import { isError } from '../../base/brand.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { toTablogError } from '../../base/error.ts';
import { Queue } from '../../base/queue.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { Connection } from '../connection/connection.ts';
import { Delivery, inTime, lookUp } from '../connection/delivery.ts';
import { ExpiryTimer } from '../connection/expiry-timer.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/** The records or batches that one call sends. */
export interface Submission {
  /** The topic's name. */
  readonly topic: string;
  /** Withdraws the submission. */
  readonly signal: AbortSignal | undefined;
  /** The time of the call, in milliseconds since 1970. */
  readonly sentAt: number;
  /** Whether the whole submission keeps the rules of the topic. */
  accepts(topic: TopicInfo): boolean;
  /**
   * Adds the whole submission to the buffer. Throws, and adds nothing, where a part breaks a rule.
   */
  add(topic: TopicInfo): void;
  /** Copies the bytes that the caller may reuse after the call. */
  own(): void;
  /** Rejects the submission, of which nothing was added, with `reason`. */
  refuse(reason: unknown): void;
}

/** A submission that waits for its topic's metadata, or for room in the buffer. */
interface Waiting {
  readonly submission: Submission;
  readonly delivery: Delivery;
  /** Resolves once the submission is in the buffer; present when a `flush` waits for it. */
  admitted: Deferred | undefined;
}

/** The buffer that submissions are admitted to. */
export interface Buffer {
  readonly hasRoom: boolean;
  /** Resolves when room may have been made. */
  roomMade(): Promise<void>;
  /** Called when a submission was added and no other submission waits: due batches leave soon. */
  drainSoon(): void;
  /**
   * Called when every waiting submission has been admitted, so that their records share batches.
   */
  admittedAll(): void;
}

export interface AdmissionOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly buffer: Buffer;
  /**
   * How long a submission waits for its topic and for room, in milliseconds; 0: for one look-up of
   * the topic, and as long as there is no room.
   */
  readonly deliveryTimeoutMs: number;
}

/**
 * Admits submissions to a producer's buffer, in order, once the metadata of their topic is known
 * and the buffer has room. A submission for which both hold already is admitted within the call.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Queue<Waiting>();
  readonly #expiry: ExpiryTimer;
  #isAdmitting = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#expiry = new ExpiryTimer(options.connection.clock, (now) => this.#expire(now));
  }

  /**
   * Admits the submission now or later. Refuses a submission that breaks the rules of a known
   * topic.
   */
  accept(submission: Submission): void {
    const { buffer, connection, deliveryTimeoutMs, topicMetadata } = this.#options;
    const { isLeaving } = connection.page;
    // While the page leaves, the only waiting submissions are those to unknown topics.
    const name = submission.topic;
    const topic = isLeaving ? topicMetadata.lastKnown(name) : topicMetadata.get(name);
    const isNext = isLeaving || (!this.#isAdmitting && buffer.hasRoom);
    if (topic !== undefined && isNext && (isLeaving || !this.#isStaleRefusal(topic, submission))) {
      this.#add(submission, topic);
      return;
    }
    submission.own();
    const delivery = new Delivery(connection.clock, deliveryTimeoutMs, {
      since: submission.sentAt,
    });
    this.#waiting.push({ submission, delivery, admitted: undefined });
    this.#expiry.set(delivery.expiresAt);
    if (!this.#isAdmitting) void this.#admitAll();
  }

  /**
   * Resolves when every submission that was accepted so far is in the buffer; `undefined` when all
   * of them are.
   */
  admitted(): Promise<void> | undefined {
    const { last } = this.#waiting;
    return last === undefined ? undefined : (last.admitted ??= deferred()).promise;
  }

  /** Admits all submissions to known topics at once, because the page may be in its last turn. */
  leave(): void {
    const { topicMetadata } = this.#options;
    this.#takeOutWaiting(({ submission }) => topicMetadata.lastKnown(submission.topic), this.#add);
  }

  /** Refuses all submissions that the signal withdraws. */
  withdraw(signal: AbortSignal): void {
    this.#takeOutWaiting(
      ({ submission }) => (submission.signal === signal ? signal : undefined),
      (submission) => submission.refuse(signal.reason),
    );
  }

  /** Refuses all submissions whose `deliveryTimeoutMs` is over. */
  #expire(now: number): void {
    this.#takeOutWaiting(
      ({ delivery }) => {
        if (delivery.expiresAt <= now) return delivery;
        this.#expiry.set(delivery.expiresAt);
        return undefined;
      },
      (submission, delivery) => submission.refuse(delivery.expire()),
    );
  }

  async #admitAll(): Promise<void> {
    const { buffer, connection, topicMetadata } = this.#options;
    const { clock } = connection;
    this.#isAdmitting = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      const { submission, delivery } = next;
      const name = submission.topic;
      let topic: TopicInfo | undefined;
      let failure: unknown;
      try {
        while (!buffer.hasRoom) await inTime(clock, delivery, buffer.roomMade());
        topic = topicMetadata.get(name) ?? (await this.#load(name, delivery));
        if (this.#isStaleRefusal(topic, submission)) topic = await this.#load(name, delivery);
      } catch (error) {
        topic = undefined;
        failure = error;
      }
      if (this.#waiting.first !== next) continue; // leave() or withdraw() took it out
      this.#waiting.shift();
      if (topic === undefined) submission.refuse(asError(failure));
      else this.#add(submission, topic);
      next.admitted?.resolve();
    }
    this.#isAdmitting = false;
    this.#expiry.cancel();
    buffer.admittedAll();
  }

  /**
   * Takes out the waiting submissions for which `choose` returns a value, and passes both to
   * `take`, in order.
   */
  #takeOutWaiting<T>(
    choose: (waiting: Waiting) => T | undefined,
    take: (submission: Submission, chosen: T) => void,
  ): void {
    let previous: Waiting | undefined;
    for (let left = this.#waiting.length; left > 0; left--) {
      const waiting = this.#waiting.shift()!;
      const { submission, admitted } = waiting;
      const chosen = choose(waiting);
      if (chosen === undefined) {
        this.#waiting.push(waiting);
        previous = waiting;
        continue;
      }
      take(submission, chosen);
      if (admitted === undefined) continue;
      // A flush waits for every submission before it.
      if (previous === undefined) admitted.resolve();
      else void (previous.admitted ??= deferred()).promise.then(admitted.resolve);
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
   * Whether the cached rules of the topic refuse the submission and may be out of date: a look-up
   * then decides.
   */
  #isStaleRefusal(topic: TopicInfo, submission: Submission): boolean {
    return !this.#options.topicMetadata.isCurrent && !submission.accepts(topic);
  }

  #load(name: string, delivery: Delivery): Promise<TopicInfo> {
    const { connection, topicMetadata } = this.#options;
    const loaded = lookUp(connection, delivery, () => topicMetadata.load(name));
    return inTime(connection.clock, delivery, loaded);
  }
}

export function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  // An error of another realm is wrapped, because sinks recognize errors by `instanceof`.
  return isError(error) ? new Error(error.message, { cause: error }) : toTablogError(error);
}
