import { json, openLog, string, topic } from 'tablog';

const settings = topic('settings', { key: string(), value: json(), cleanup: 'compact' });

const log = await openLog('app');
await log.admin.createTopics([settings]);
const producer = log.producer();
await producer.send(settings, { key: 'theme', value: 'dark' });
await producer.send(settings, { key: 'language', value: 'en' });
await producer.send(settings, { key: 'language', value: null }); // a tombstone: no value any more

const table = log.table(settings);
await table.ready; // caught up with what was there
console.log(table.get('theme'), table.size);
table.subscribe(() => console.log('changed:', [...table]));
await producer.send(settings, { key: 'theme', value: 'light' });
