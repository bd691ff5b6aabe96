import { openLog } from 'tablog';

const site = await openLog('site');
const copy = await openLog('site-copy');
await site.admin.createTopics(['clicks']);
await copy.admin.createTopics(['clicks']);
await site.producer({ compression: 'gzip' }).send('clicks', { value: 'a click '.repeat(100) });

const producer = copy.producer();
const mirror = site.consumer({ group: 'mirror', topics: ['clicks'], from: 'earliest' });
for await (const { partition, bytes, recordCount, lag } of mirror.batches({ raw: true })) {
  const [stored] = await producer.sendRaw('clicks', partition, bytes);
  console.log(stored?.offset, recordCount);
  if (lag === 0) break; // a mirror that is to go on has no such line
}
