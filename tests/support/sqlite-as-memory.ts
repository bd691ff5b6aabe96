import { systemClock } from '../../src/platform/clock.ts';
import type { RandomSource } from '../../src/platform/random-id.ts';
import { sqlite } from '../../src/sqlite.ts';
import { PreparedDriver } from '../../src/store/sqlite/prepared-driver.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { createLog, prepareDatabase } from '../../src/store/sqlite/sqlite-tables.ts';
import type { StoreFactory } from '../../src/store/store-factory.ts';
import type { Store } from '../../src/store/store.ts';
import { openDatabase } from './sqlite-database.ts';

// In place of `memory-store.ts` and `memory-store-factory.ts` for the tests that `TABLOG_STORE=sqlite`
// runs: see `storeOfTests` in sqlite-plugin.ts.

/** Some walks open thousands of logs; tests/store/sqlite and the kills have files. */
const IN_MEMORY = ':memory:';

export function openMemoryStore(now: number = Date.now(), random?: RandomSource): Store {
  const driver = new PreparedDriver(openDatabase(IN_MEMORY));
  driver.begin();
  prepareDatabase(driver);
  const name = 'shop';
  const log = createLog(driver, name, now, random);
  return new SqliteStore({ driver, clock: systemClock, name, log });
}

/** With the locks and channels of the context, which the tests replace. */
export function memoryStore(): StoreFactory {
  const { platform: _, ...store } = sqlite(openDatabase(IN_MEMORY));
  return store;
}
