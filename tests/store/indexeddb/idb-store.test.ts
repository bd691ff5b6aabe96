import { idbStore } from '../../../src/store/indexeddb/idb-store-factory.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { testStoreContract, testStoreFactoryContract } from '../store-contract.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

stubIndexedDb();
let opened = 0;

testStoreContract('fake IndexedDB', () => openIdbStore(`fake-${++opened}`));
testStoreFactoryContract('fake IndexedDB', idbStore());
