import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';

/** Why a member stays out of its group: the page is frozen, or no loop polls any more. */
type Reason = 'frozen' | 'notPolled';

/** Whether a member stays out of its group for now, for any number of reasons. */
export class Absence {
  readonly #reasons = new Set<Reason>();
  #over: Deferred | undefined;

  get isAway(): boolean {
    return this.#over !== undefined;
  }

  /** Resolves when the member may join again. */
  async over(): Promise<void> {
    await this.#over?.promise;
  }

  begin(reason: Reason): void {
    this.#reasons.add(reason);
    this.#over ??= deferred();
  }

  end(reason: Reason): void {
    this.#reasons.delete(reason);
    if (this.#reasons.size === 0) this.close();
  }

  /** Ends it, whatever the reasons. */
  close(): void {
    this.#over?.resolve();
    this.#over = undefined;
  }
}
