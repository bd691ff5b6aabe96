import { json, openLog, topic } from 'tablog';
import { memoryStore } from 'tablog/broker';
import type { StoreFactory } from 'tablog/broker';
import { inline } from 'tablog/inline';

const mine = memoryStore(); // in its place a database, or files: what has transactions over rows
const store: StoreFactory = {
  open: (log, options) => mine.open(log, options), // a `Store`: one connection to the log
  list: () => mine.list(),
  delete: (log) => mine.delete(log),
};

const log = await openLog('tenant-1', { host: inline({ store }) });
const orders = topic('orders', { value: json<{ id: string }>() });
await log.admin.createTopics([orders]);
const { offset } = await log.producer().send(orders, { value: { id: 'o1' } });
console.log(await store.list(), offset);
