import { idbStore } from '../../src/store/indexeddb/idb-store-factory.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { freshLog, openStore } from './indexeddb/fresh-database.ts';
import { testStoreContract, testStoreFactoryContract } from './store-contract.ts';

testStoreContract('memory, in a browser,', async () => openMemoryStore());
testStoreFactoryContract('memory, in a browser,', memoryStore());
testStoreContract('IndexedDB', () => openStore(freshLog()));
testStoreFactoryContract('IndexedDB', idbStore());
