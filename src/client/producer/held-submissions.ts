import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { encodeLater } from '../accumulator/encode-later.ts';
import type { EncodeDeadline } from '../accumulator/encode-later.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';
import type { Connection } from '../connection/connection.ts';
import type { SerdeWait } from '../topics/serde-context.ts';
import type { Admission, Submission } from './admission.ts';

/** A submission that cannot be encoded yet, because a serde waits for a look-up. */
export interface Unencoded extends Pick<Submission, 'topic' | 'signal' | 'refuse'> {
  readonly wait: SerdeWait;
  /** Encodes the submission. Throws a `SerdeWait` where a serde waits again. */
  readonly encode: () => Submission;
}

interface Held {
  readonly topic: string;
  readonly signal: AbortSignal | undefined;
  readonly refuse: (reason: unknown) => void;
  /** `undefined`: not encoded yet. */
  submission: Submission | undefined;
  /** Resolves once the submission was accepted or refused. */
  readonly released: Deferred;
  /** Aborts with the refusal, which ends the wait for the serde. */
  readonly refused: AbortController;
}

/**
 * Submissions whose serdes wait, and the submissions to the same topic behind them, so that a
 * topic's records stay in order. Submissions to other topics are not held up. A submission that is
 * held when the page is left is not sent.
 */
export class HeldSubmissions {
  readonly #admission: Admission;
  /** The longest wait for the look-ups of serdes. */
  readonly #deadline: EncodeDeadline;
  readonly #topics = new Map<string, Set<Held>>();

  /** `closed` aborts once the producer is closed. */
  constructor(
    connection: Connection,
    { deliveryTimeoutMs }: CheckedProducerOptions,
    admission: Admission,
    closed: AbortSignal,
  ) {
    this.#admission = admission;
    this.#deadline = { clock: connection.clock, timeoutMs: deliveryTimeoutMs };
    // The connection closes by itself when the log was deleted.
    const close = (): void => this.#refuseAll(connection.closedError(), () => true);
    connection.closed.addEventListener('abort', close, { once: true, signal: closed });
  }

  /** Whether a submission to the topic has to wait behind another submission. */
  holds(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** Holds an encoded submission until those before it are accepted or refused. */
  add(submission: Submission): void {
    submission.own();
    this.#push(submission, submission);
  }

  /**
   * Holds a submission until it is encoded and those before it are accepted or refused. Refuses a
   * submission whose encoding fails.
   */
  addUnencoded(unencoded: Unencoded): void {
    const held = this.#push(unencoded, undefined);
    const { wait, encode } = unencoded;
    const { signal } = held.refused;
    encodeLater(wait, encode, { ...this.#deadline, signal }).then(
      (submission) => {
        submission.own();
        held.submission = submission;
        this.#release(held.topic);
      },
      (error: unknown) => this.#refuse(held, error),
    );
  }

  /**
   * Resolves once every submission that is held now was accepted or refused; `undefined`: none is
   * held.
   */
  released(): Promise<unknown> | undefined {
    if (this.#topics.size === 0) return undefined;
    const held = [...this.#topics.values()].flatMap((queue) => [...queue]);
    return Promise.all(held.map(({ released }) => released.promise));
  }

  /** Refuses all submissions that the signal withdraws. */
  withdraw(signal: AbortSignal): void {
    this.#refuseAll(signal.reason, (held) => held.signal === signal);
  }

  #push(
    { topic, signal, refuse }: Pick<Submission, 'topic' | 'signal' | 'refuse'>,
    submission: Submission | undefined,
  ): Held {
    const refused = new AbortController();
    const held = { topic, signal, refuse, submission, released: deferred(), refused };
    const queue = this.#topics.get(topic);
    if (queue === undefined) this.#topics.set(topic, new Set([held]));
    else queue.add(held);
    return held;
  }

  #refuseAll(reason: unknown, which: (held: Held) => boolean): void {
    for (const queue of this.#topics.values()) {
      for (const held of Array.from(queue).filter(which)) this.#refuse(held, reason);
    }
  }

  #refuse(held: Held, reason: unknown): void {
    const { topic, refuse, released, refused } = held;
    if (!this.#topics.get(topic)?.delete(held)) return; // refused already
    refused.abort();
    refuse(reason);
    released.resolve();
    this.#release(topic);
  }

  /** Accepts the encoded submissions, up to the first that is not encoded. */
  #release(topic: string): void {
    const queue = this.#topics.get(topic);
    if (queue === undefined) return; // every submission was refused meanwhile
    for (const held of queue) {
      if (held.submission === undefined) return;
      queue.delete(held);
      this.#admission.accept(held.submission);
      held.released.resolve();
    }
    this.#topics.delete(topic);
  }
}
