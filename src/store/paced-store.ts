import { sleep } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import type { RowStore } from './store.ts';

/** The operations of a store that background work uses. */
export type TendedStore = Pick<RowStore, 'read' | 'readSegments' | 'update'>;

/** The milliseconds left to foreground transactions after each millisecond of background work. */
const PAUSE_RATIO = 3;

/**
 * Bounds the pause after a transaction that seems long because a clock was set or a database hung.
 */
const MAX_PAUSE_MS = 250;

/**
 * A store for background work, which pauses after each transaction in proportion to its duration.
 * The pause lets foreground transactions run: a browser runs the transactions of a database one
 * after the other, and a store in memory blocks the thread.
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
