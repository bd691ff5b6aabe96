import { json, openLog, string, table, topic } from 'tablog';

const settings = topic('settings', { key: string(), value: json<string>(), cleanup: 'compact' });

const log = await openLog('app');
await log.admin.createTopics([settings]);
const producer = log.producer();
await producer.send(settings, { key: 'theme', value: 'dark' });
await producer.send(settings, { key: 'language', value: 'en' });
await producer.send(settings, { key: 'language', value: null }); // a tombstone: no value any more

const current = table(log, settings);
await current.ready; // it has everything that was there
console.log(current.get('theme'), current.size);
current.subscribe((_, changes) => {
  for (const { key, value } of changes) console.log(key, value);
});
await producer.send(settings, { key: 'theme', value: 'light' });
