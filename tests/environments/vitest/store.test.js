import { memoryStore, systemClock } from 'tablog/broker';
import { storeContract, storeFactoryContract } from 'tablog/store-contract';
import { test } from 'vitest';

const store = memoryStore(); // or yours

let logs = 0;
const openNew = () => store.open(`log-${++logs}`, { mustExist: false, clock: systemClock });
for (const { name, run } of storeContract()) test(name, () => run(openNew));
for (const { name, run } of storeFactoryContract()) test(name, () => run(store));
