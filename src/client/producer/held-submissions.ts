import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { encodeLater } from '../accumulator/encode-later.ts';
import type { EncodeDeadline } from '../accumulator/encode-later.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';
import type { Connection } from '../connection/connection.ts';
import type { SerdeWait } from '../topics/serde-context.ts';
import type { Admission, Submission } from './admission.ts';

/** A submission that cannot be encoded yet. */
export interface Unencoded extends Pick<Submission, 'topic' | 'signal' | 'refuse'> {
  readonly wait: SerdeWait;
  /** Makes the submission; throws a `SerdeWait` where a serde waits again. */
  readonly encode: () => Submission;
}

interface Held {
  readonly topic: string;
  readonly signal: AbortSignal | undefined;
  readonly refuse: (reason: unknown) => void;
  /** `undefined`: not encoded yet. */
  submission: Submission | undefined;
  /** Resolves once it was accepted or refused. */
  readonly released: Deferred;
}

/**
 * Submissions whose serdes wait, and those behind them: in order within a topic. Submissions to
 * other topics go their way. What is held when the page is left is not sent.
 */
export class HeldSubmissions {
  readonly #admission: Admission;
  /** The longest wait for what serdes look up. */
  readonly #deadline: EncodeDeadline;
  readonly #topics = new Map<string, Set<Held>>();

  constructor(
    connection: Connection,
    { deliveryTimeoutMs }: CheckedProducerOptions,
    admission: Admission,
  ) {
    this.#admission = admission;
    this.#deadline = { clock: connection.clock, timeoutMs: deliveryTimeoutMs };
    // The log was deleted.
    const close = (): void => this.#refuseAll(connection.closedError(), () => true);
    connection.closed.addEventListener('abort', close, { once: true });
  }

  /** Whether a submission to the topic has to wait behind another. */
  holds(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** Holds a submission until those before it are accepted or refused. */
  add(submission: Submission): void {
    submission.own();
    this.#push(submission, submission);
  }

  /** Holds a submission until it is encoded as well; refuses it where that fails. */
  addUnencoded(unencoded: Unencoded): void {
    const held = this.#push(unencoded, undefined);
    const { wait, encode } = unencoded;
    encodeLater(wait, encode, this.#deadline).then(
      (submission) => {
        submission.own();
        held.submission = submission;
        this.#release(held.topic);
      },
      (error: unknown) => this.#refuse(held, error),
    );
  }

  /** Resolves once all that is held now was accepted or refused; `undefined`: nothing is held. */
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
    const held = { topic, signal, refuse, submission, released: deferred() };
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
    const { topic, refuse, released } = held;
    if (!this.#topics.get(topic)?.delete(held)) return; // it was refused before
    refuse(reason);
    released.resolve();
    this.#release(topic);
  }

  /** Accepts what is encoded, up to the first that is not. */
  #release(topic: string): void {
    const queue = this.#topics.get(topic);
    if (queue === undefined) return; // all was refused meanwhile
    for (const held of queue) {
      if (held.submission === undefined) return;
      queue.delete(held);
      this.#admission.accept(held.submission);
      held.released.resolve();
    }
    this.#topics.delete(topic);
  }
}
