import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';

export interface Wait {
  /** Resolves when one of the keys is woken, when the time is up, or when the signal aborts. */
  readonly woken: Promise<void>;
  /** Removes the timer and the listeners. Call it in any case. */
  cancel(): void;
}

/**
 * Long polls, each waiting for a change of some keys: partitions, or a group (Kafka's purgatory).
 */
export class Waiters {
  readonly #wakers = new Map<string, Set<() => void>>();

  wait(keys: readonly string[], ms: number, clock: Clock, signal?: AbortSignal): Wait {
    const { promise: woken, resolve } = deferred();
    const wake = (): void => resolve();
    for (const key of keys) {
      const wakers = this.#wakers.get(key);
      if (wakers === undefined) this.#wakers.set(key, new Set([wake]));
      else wakers.add(wake);
    }
    const cancelTimer = clock.after(Math.max(ms, 0), wake);
    signal?.addEventListener('abort', wake, { once: true });
    return {
      woken,
      cancel: () => {
        cancelTimer();
        signal?.removeEventListener('abort', wake);
        for (const key of keys) {
          const wakers = this.#wakers.get(key);
          wakers?.delete(wake);
          if (wakers?.size === 0) this.#wakers.delete(key);
        }
      },
    };
  }

  get isEmpty(): boolean {
    return this.#wakers.size === 0;
  }

  wake(key: string): void {
    this.#wakers.get(key)?.forEach((wake) => wake());
  }

  wakeAll(): void {
    for (const wakers of this.#wakers.values()) wakers.forEach((wake) => wake());
  }
}
