import { checkFunction, checkOneOf } from '../base/argument.ts';

/** A topic's name and a partition of it. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionsEvent {
  readonly partitions: readonly AssignedPartition[];
}

/** A place does not exist (any more): the consumer went where `from` says instead. */
export interface ResetEvent extends AssignedPartition {
  /** The group's committed offset, or where the consumer was. */
  readonly outOfRange: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Where it goes on. */
  readonly offset: number;
}

/** What a consumer in a group tells. */
export interface ConsumerEvents {
  /** Partitions were assigned, and have their place; what is awaited here comes before their first message. */
  readonly assigned: PartitionsEvent;
  /**
   * Partitions are to be given up, and nothing of them is in hand any more. Commit here what is not
   * committed; the next member gets them when the listeners are done.
   */
  readonly revoked: PartitionsEvent;
  /** Partitions are gone, and others may read them already: commits would be `FENCED`. */
  readonly lost: PartitionsEvent;
  /** An offset was out of range. */
  readonly reset: ResetEvent;
}

export type ConsumerListener<E extends keyof ConsumerEvents> = (
  event: ConsumerEvents[E],
) => void | Promise<void>;

const NAMES: readonly (keyof ConsumerEvents)[] = ['assigned', 'revoked', 'lost', 'reset'];

/** Who listens to a consumer. */
export class ConsumerListeners {
  readonly #listeners = new Map<string, Set<(event: never) => void | Promise<void>>>(
    NAMES.map((name) => [name, new Set()]),
  );
  readonly #onError: (error: unknown) => void;

  /** `onError` gets what a listener throws. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Returns how to stop. Throws a `TypeError` for an event that does not exist. */
  add<E extends keyof ConsumerEvents>(event: E, listener: ConsumerListener<E>): () => void {
    checkOneOf('an event', event, NAMES);
    checkFunction('on() takes a function', listener);
    const listeners = this.#listeners.get(event)!;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Resolves when every listener is done. */
  async emit<E extends keyof ConsumerEvents>(event: E, detail: ConsumerEvents[E]): Promise<void> {
    const calls = [...this.#listeners.get(event)!].map(async (listener) => {
      try {
        await listener(detail as never);
      } catch (error) {
        this.#onError(error);
      }
    });
    await Promise.all(calls);
  }
}
