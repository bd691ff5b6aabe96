import { openIdbStore } from '../../src/store/idb-store.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';
import { storeContract } from './store-contract.ts';

stubIndexedDb();
let opened = 0;

storeContract('fake IndexedDB', () => openIdbStore(`fake-${++opened}`));
