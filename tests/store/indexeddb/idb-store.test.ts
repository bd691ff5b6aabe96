import { openIdbStore } from '../../../src/store/indexeddb/idb-store.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';
import { testStoreContract } from '../store-contract.ts';

stubIndexedDb();
let opened = 0;

testStoreContract('fake IndexedDB', () => openIdbStore(`fake-${++opened}`));
