import { checkFunction, checkOneOf } from '../../base/argument.ts';
import type { PartitionReader } from './partition-reader.ts';
import { reportCallbackError } from '../../platform/report-callback-error.ts';

/** A partition of a topic, by the topic's name. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionsEvent {
  readonly partitions: readonly AssignedPartition[];
}

/** A position is out of range: the consumer continues at the position that `from` gives. */
export interface ResetEvent extends AssignedPartition {
  /**
   * The offset that is out of range: the committed offset of the group, or the position of the
   * consumer.
   */
  readonly outOfRange: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** The offset at which the consumer continues. */
  readonly offset: number;
}

/** The events of a consumer. All except 'reset' are emitted only by consumers in a group. */
export interface ConsumerEvents {
  /**
   * Partitions were assigned, and have a position. Their first message is delivered after the
   * listeners have settled.
   */
  readonly assigned: PartitionsEvent;
  /**
   * The consumer is about to give up these partitions, and none of their messages is in hand.
   * Commit here the offsets that are not committed. The next member gets the partitions when the
   * listeners have settled, or after `rebalanceTimeoutMs`.
   */
  readonly revoked: PartitionsEvent;
  /**
   * Partitions are lost, and other members may already read them: commits would be rejected with
   * `FENCED`.
   */
  readonly lost: PartitionsEvent;
  /** An offset was out of range. */
  readonly reset: ResetEvent;
}

export type ConsumerListener<E extends keyof ConsumerEvents> = (
  event: ConsumerEvents[E],
) => void | Promise<void>;

/** An event of a consumer, as a union discriminated by `event`. */
export type ConsumerEvent = {
  [E in keyof ConsumerEvents]: { readonly event: E; readonly detail: ConsumerEvents[E] };
}[keyof ConsumerEvents];

const NAMES: readonly (keyof ConsumerEvents)[] = ['assigned', 'revoked', 'lost', 'reset'];

/** The longest wait of a promise for listeners that may themselves be waiting for that promise. */
export const LISTENER_GRACE_MS = 1_000;

/** The listeners of a consumer. */
export class ConsumerListeners {
  readonly #onEvent: (event: ConsumerEvent) => void;
  readonly #listeners = new Map<string, Set<(event: never) => void | Promise<void>>>(
    NAMES.map((name) => [name, new Set()]),
  );
  #running = 0;
  #calling = 0;

  /** `onEvent` is called with every event, before the listeners. */
  constructor(onEvent: (event: ConsumerEvent) => void = () => {}) {
    this.#onEvent = onEvent;
  }

  /** Returns a function that removes the listener. Throws a `TypeError` for an unknown event. */
  add<E extends keyof ConsumerEvents>(event: E, listener: ConsumerListener<E>): () => void {
    checkOneOf('an event', event, NAMES);
    checkFunction('on() takes a function', listener);
    const listeners = this.#listeners.get(event)!;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Whether a listener is running synchronously: called, and not yet at its first `await`. */
  get isCalling(): boolean {
    return this.#calling > 0;
  }

  /** Whether a listener has not settled yet. */
  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Calls the listeners at once; resolves when all of them have settled. */
  async emit<E extends keyof ConsumerEvents>(event: E, detail: ConsumerEvents[E]): Promise<void> {
    this.#onEvent({ event, detail } as ConsumerEvent);
    const calls = [...this.#listeners.get(event)!].map((listener) =>
      this.#run(() => listener(detail as never)),
    );
    await Promise.all(calls);
  }

  async #run(listener: () => void | Promise<void>): Promise<void> {
    this.#running++;
    try {
      await this.#call(listener);
    } catch (error) {
      // An error of a listener stops neither reading nor the rebalance that waits for it.
      reportCallbackError('a listener of a consumer', error);
    } finally {
      this.#running--;
    }
  }

  #call(listener: () => void | Promise<void>): void | Promise<void> {
    this.#calling++;
    try {
      return listener();
    } finally {
      this.#calling--;
    }
  }
}

/** The detail of an event about the partitions of these readers. */
export function partitionsEvent(readers: readonly PartitionReader[]): PartitionsEvent {
  return {
    partitions: readers.map(({ topic, partition }) => ({ topic: topic.name, partition })),
  };
}
