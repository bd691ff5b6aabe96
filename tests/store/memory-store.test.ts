import { systemClock } from '../../src/platform/clock.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { testStoreContract, testStoreFactoryContract } from './store-contract.ts';

testStoreContract('memory', async () => openMemoryStore());
testStoreFactoryContract('memory', memoryStore());

const shared = memoryStore();
let opened = 0;
testStoreContract('a connection to memory', () =>
  shared.open(`log-${++opened}`, { mustExist: false, clock: systemClock }),
);
