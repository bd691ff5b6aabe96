import { openLog } from 'tablog';

const site = await openLog('site');
const copy = await openLog('site-copy');
await site.admin.createTopics(['clicks']);
await copy.admin.createTopics(['clicks']);
await site.producer({ compression: 'gzip' }).send('clicks', { value: 'a click '.repeat(100) });

const producer = copy.producer();
const mirror = site.consumer({ group: 'mirror', topics: ['clicks'], from: 'earliest' });
for await (const batch of mirror.batches({ raw: true })) {
  const [stored] = await producer.sendRaw('clicks', batch.partition, batch.bytes);
  await batch.commit();
  console.log(stored?.offset, batch.recordCount);
  break; // a mirror that is to go on has no such line
}
