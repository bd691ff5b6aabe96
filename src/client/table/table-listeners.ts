import { checkFunction } from '../../base/argument.ts';
import type { TableChange } from './table-state.ts';
import type { TableSnapshot } from './table-snapshot.ts';

/** A listener of a table. It gets the current snapshot, and the changes since the last call. */
export type TableListener<K, V, I = K> = (
  snapshot: TableSnapshot<K, V, I>,
  changes: readonly TableChange<K, V>[],
) => void;

/** The subscriptions to a table. A function that subscribes twice is called twice. */
export class TableListeners<K, V, I> {
  readonly #subscriptions = new Set<{ readonly call: TableListener<K, V, I> }>();

  /** Adds a listener and calls it at once; returns the function that removes it. */
  add(call: TableListener<K, V, I>, snapshot: TableSnapshot<K, V, I>): () => void {
    checkFunction('subscribe() takes a function', call);
    const subscription = { call };
    this.#subscriptions.add(subscription);
    call(snapshot, []);
    return () => void this.#subscriptions.delete(subscription);
  }

  /**
   * Calls all listeners. An error of a listener is reported, and the other listeners are called
   * nevertheless.
   */
  notify(snapshot: TableSnapshot<K, V, I>, changes: readonly TableChange<K, V>[]): void {
    for (const { call } of this.#subscriptions) {
      try {
        call(snapshot, changes);
      } catch (error) {
        reportUncaught(error);
      }
    }
  }

  clear(): void {
    this.#subscriptions.clear();
  }
}

/**
 * Reports an error as uncaught. The error is thrown in a microtask, so the platform reports it like
 * any other uncaught error.
 */
export function reportUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
