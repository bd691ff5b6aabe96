import { DatabaseSync } from 'node:sqlite';
import { json, openLog, topic } from 'tablog';
import { inline } from 'tablog/inline';
import { sqlite } from 'tablog/sqlite';

const database = new DatabaseSync('shop.db');
const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
const orders = topic('orders', { value: json() });
await log.admin.createTopics([orders]);

const { offset } = await log.producer().send(orders, { value: { id: 'o1' } });
console.log(`stored at offset ${offset}`);

await log.close(); // before the database, which is yours to close
database.close();
