import { sleep } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import type { RowStore } from './store.ts';

/** What background work does with a store. */
export type TendedStore = Pick<RowStore, 'read' | 'readSegments' | 'update'>;

/** For each millisecond of background work, so many are everybody else's. */
const PAUSE_RATIO = 3;

/** Longer ones would be a clock's that was set, or a database's that hangs. */
const MAX_PAUSE_MS = 250;

/**
 * The store for background work: each transaction is followed by a pause that grows with it,
 * because a browser serves the transactions of a database one after the other, and one in memory
 * keeps the thread.
 */
export function pacedStore(store: TendedStore, clock: Clock): TendedStore {
  const paced = async <T>(work: () => Promise<T>): Promise<T> => {
    const began = clock.now();
    const result = await work();
    const pauseMs = Math.min((clock.now() - began) * PAUSE_RATIO, MAX_PAUSE_MS);
    if (pauseMs > 0) await sleep(clock, pauseMs);
    return result;
  };
  return {
    read: (refs) => paced(() => store.read(refs)),
    readSegments: (requests) => paced(() => store.readSegments(requests)),
    update: (refs, decide, options) => paced(() => store.update(refs, decide, options)),
  };
}
