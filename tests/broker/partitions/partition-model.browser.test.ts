import fc from 'fast-check';
import { test } from 'vitest';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { deleteDatabase } from '../../store/indexeddb/fresh-database.ts';
import { partitionModel } from './partition-model.ts';

/** The runs take 12 s, and more on a busy machine; a failure is made smaller for as long as this. */
const LIMIT_MS = 120_000;

test(
  'a partition in IndexedDB is what a plain array says, however often it is closed and opened',
  async () => {
    const property = partitionModel(() => {
      const name = `test-${crypto.randomUUID()}`;
      return { name, open: () => openIdbStore(name), remove: () => deleteDatabase(name) };
    });
    // The `seed` and `path` that a failure prints, put here, run it again.
    await fc.assert(property, {
      numRuns: 100,
      plugins: [fc.interruptAfterTimeLimit(LIMIT_MS, { failOnInterrupt: true })],
    });
  },
  // What fast-check reports when it is interrupted would be lost to a limit that is no later.
  LIMIT_MS + 30_000,
);
