import type { Liveness } from '../../src/platform/locks/liveness.ts';
import type { Realm } from './sim-time.ts';

/** Liveness without Web Locks: a walk decides when a client or a broker dies. */
export class SimLiveness {
  readonly #dead = new Set<string>();
  readonly #watchers = new Map<string, Set<() => void>>();

  /** The liveness for a broker in a realm, which calls `died` in that realm. */
  in(realm: Realm): Liveness {
    return {
      onDeath: (_role, id, signal, died) => {
        const tell = (): void => {
          realm.after(0, () => {
            if (!signal.aborted) died();
          });
        };
        if (this.#dead.has(id)) return tell();
        const watchers = this.#watchers.get(id) ?? new Set();
        this.#watchers.set(id, watchers.add(tell));
        signal.addEventListener('abort', () => watchers.delete(tell), { once: true });
      },
      isAlive: (_role, id) => Promise.resolve(!this.#dead.has(id)),
    };
  }

  die(id: string): void {
    this.#dead.add(id);
    for (const tell of this.#watchers.get(id) ?? []) tell();
    this.#watchers.delete(id);
  }
}
