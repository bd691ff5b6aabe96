import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { testStoreContract, testStoreFactoryContract } from './store-contract.ts';

testStoreContract('memory', async () => openMemoryStore());
testStoreFactoryContract('memory', memoryStore());
