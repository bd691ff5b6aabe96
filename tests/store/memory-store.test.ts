import { openMemoryStore } from '../../src/store/memory-store.ts';
import { testStoreContract } from './store-contract.ts';

testStoreContract('memory', async () => openMemoryStore());
