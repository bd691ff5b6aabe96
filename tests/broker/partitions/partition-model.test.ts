import fc from 'fast-check';
import { test } from 'vitest';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { partitionModel } from './partition-model.ts';
import { runsOf } from '../../support/seeds.ts';

/** `TABLOG_RUNS=2000 npm test -- --project unit tests/broker/partitions/partition-model` for more. */
const RUNS = runsOf(200);

test('a partition is what a plain array says, whatever is done to it, and by how many', async () => {
  const property = partitionModel(() => {
    const store = openMemoryStore();
    return {
      name: `test-${crypto.randomUUID()}`,
      open: async () => new FaultStore(store),
      remove: async () => store.close(),
    };
  });
  await fc.assert(property, { numRuns: RUNS });
}, 600_000);
