import 'fake-indexeddb/auto';
import { openIdbStore } from '../../src/store/idb-store.ts';
import { storeContract } from './store-contract.ts';

let opened = 0;

storeContract('fake IndexedDB', () => openIdbStore(`fake-${++opened}`));
