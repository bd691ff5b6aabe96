import { openMemoryStore } from '../../src/store/memory-store.ts';
import { freshLog, openStore } from './fresh-database.ts';
import { storeContract } from './store-contract.ts';

storeContract('memory, in a browser,', async () => openMemoryStore());
storeContract('IndexedDB', () => openStore(freshLog()));
