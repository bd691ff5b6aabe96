import { openLog, string, topic } from 'tablog';

// Uses each part of the code that is loaded on demand: gzip, groups, run(), transactions and log
// files. A build must have them all.

const events = topic('events', { key: string(), value: string() });
const log = await openLog('parts');
await log.admin.createTopics([events]);

const producer = log.producer({ compression: 'gzip' });
await producer.send(events, { key: 'k', value: 'long enough '.repeat(1000) });
await producer.transaction((tx) => tx.send(events, { key: 'k', value: 'whole' }));

const member = log.consumer({ group: 'readers', topics: [events], from: 'earliest' });
const lengths: (number | undefined)[] = [];
await new Promise<void>((resolve, reject) => {
  const eachMessage = (message: { value: string | null }): void => {
    if (lengths.push(message.value?.length) === 2) resolve();
  };
  member.run({ eachMessage }).catch(reject);
});
const file = await new Response(log.admin.exportPartition({ topic: events, partition: 0 })).blob();
await log.close();
console.log('parts', lengths.join(' '), file.size > 0);
