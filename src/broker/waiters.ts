import type { Clock } from '../base/clock.ts';

interface PartitionName {
  readonly topicId: string;
  readonly partition: number;
}

export interface Wait {
  /** Resolves when one of the partitions has news, when time is up, or when the signal aborts. */
  readonly woken: Promise<void>;
  /** Stops waiting; call it in any case. */
  cancel(): void;
}

/** Those who wait for a partition to grow. */
export class Waiters {
  readonly #wakers = new Map<string, Set<() => void>>();

  wait(partitions: readonly PartitionName[], ms: number, clock: Clock, signal: AbortSignal): Wait {
    let wake: () => void = () => {};
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const keys = partitions.map(keyOf);
    for (const key of keys) {
      const wakers = this.#wakers.get(key);
      if (wakers === undefined) this.#wakers.set(key, new Set([wake]));
      else wakers.add(wake);
    }
    const cancelTimer = clock.after(Math.max(ms, 0), wake);
    signal.addEventListener('abort', wake, { once: true });
    return {
      woken,
      cancel: () => {
        cancelTimer();
        signal.removeEventListener('abort', wake);
        for (const key of keys) {
          const wakers = this.#wakers.get(key);
          wakers?.delete(wake);
          if (wakers?.size === 0) this.#wakers.delete(key);
        }
      },
    };
  }

  wake(topicId: string, partition: number): void {
    this.#wakers.get(keyOf({ topicId, partition }))?.forEach((wake) => wake());
  }

  wakeAll(): void {
    for (const wakers of this.#wakers.values()) wakers.forEach((wake) => wake());
  }
}

function keyOf({ topicId, partition }: PartitionName): string {
  return `${topicId}/${partition}`;
}
