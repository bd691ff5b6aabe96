import type { Liveness } from '../../src/platform/liveness.ts';
import type { Realm } from './sim-time.ts';

/** Who is alive, told by a walk in the place of Web Locks. */
export class SimLiveness {
  readonly #dead = new Set<string>();
  readonly #watchers = new Map<string, Set<() => void>>();

  /** As seen from a realm. */
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
