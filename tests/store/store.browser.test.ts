import { openMemoryStore } from '../../src/store/memory-store.ts';
import { freshLog, openStore } from './indexeddb/fresh-database.ts';
import { testStoreContract } from './store-contract.ts';

testStoreContract('memory, in a browser,', async () => openMemoryStore());
testStoreContract('IndexedDB', () => openStore(freshLog()));
