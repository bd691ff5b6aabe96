import { LOG_CORRUPT, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { databaseOf } from '../../base/log-database.ts';
import { sleep } from '../../platform/clock.ts';
import { listsDatabases } from '../../platform/log-databases.ts';
import { disconnectOthers } from './idb-connection.ts';
import type { DisconnectOptions } from './idb-connection.ts';

/** An attempt to open the newest database of a log. */
export type Attempt<Store> =
  | { readonly store: Store }
  | {
      readonly error: unknown;
      /** The generation of the database; `undefined`: it did not get known. */
      readonly generation: number | undefined;
    };

export interface RecreationOptions<Store> extends DisconnectOptions {
  readonly attempt: () => Promise<Attempt<Store>>;
  /** Opens the database of this generation, and creates a missing one. */
  readonly open: (generation: number, setAside: string) => Promise<Store>;
}

/**
 * How often the browser has to refuse a database that another open might still get, and the pause
 * in between, in milliseconds. A browser that restarts its storage refuses for less than a second.
 */
const ATTEMPTS = 3;
const PAUSE_MS = 1_000;

/** No attempt begins later than this, because the tab's call has a deadline. In milliseconds. */
const LAST_ATTEMPT_MS = 4_000;

/**
 * Opens the log. Where its database can never be opened again, leaves that database aside, and
 * begins a new log in a database of the next generation, which every broker finds by its name. Two
 * brokers that do so at once name the same database, and IndexedDB creates it once.
 *
 * Two faults count: the database opens, and its first row is lost or damaged; or the browser refuses
 * the database again and again, and opens the next one. A blocked, slow or full storage is neither.
 */
export async function openOrRecreate<Store>(options: RecreationOptions<Store>): Promise<Store> {
  const { name, clock, attempt, open } = options;
  const began = clock.now();
  for (let attempts = 1; ; attempts++) {
    const attempted = await attempt();
    if ('store' in attempted) return attempted.store;
    const { error, generation } = attempted;
    const code = error instanceof TablogError ? error.code : undefined;
    // A browser that does not list its databases would never find the next one.
    if (generation === undefined || !listsDatabases()) throw error;
    const database = databaseOf(name, generation);
    if (code === LOG_CORRUPT.code) await disconnectOthers(database, options);
    else if (code !== STORAGE_UNAVAILABLE.code) throw error;
    else if (attempts < ATTEMPTS) {
      await sleep(clock, PAUSE_MS);
      if (clock.now() - began > LAST_ATTEMPT_MS) throw error;
      continue;
    }
    return open(generation + 1, database);
  }
}
