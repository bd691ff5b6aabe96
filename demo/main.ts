import { openLog, topic, string } from '../src/index.ts';
const log = await openLog('demo');
const t = topic('t', { key: string(), value: string(), partitions: 4 });
await log.admin.createTopics([t]);
const p = log.producer();
const placed = await p.send(t, { key: 'a', value: 'b' });
console.log('placed', JSON.stringify(placed));
for await (const m of log.consumer({ topics: [t], from: 'earliest' })) { console.log('got', JSON.stringify(m)); break; }
document.title = 'ok ' + placed.offset;
