import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';

export interface Wait {
  /** Resolves when one of the keys has news, when time is up, or when the signal aborts. */
  readonly woken: Promise<void>;
  /** Stops waiting; call it in any case. */
  cancel(): void;
}

/** Those who wait for news of something: a partition, a group. */
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
