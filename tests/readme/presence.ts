import { json, openLog, string, topic } from 'tablog';

const presence = topic('presence', {
  key: string(),
  value: json<{ name: string; at: number }>(),
  storage: 'memory', // no disk, and gone with the last tab
  cleanup: 'compact',
});
const log = await openLog('room');
await log.admin.createTopics([presence]);
const producer = log.producer();

const me = crypto.randomUUID();
const here = () => producer.send(presence, { key: me, value: { name: 'Ada', at: Date.now() } });
await here();
setInterval(() => void here(), 20_000);
addEventListener('pagehide', () => void producer.send(presence, { key: me, value: null }));

// A tab that crashed says nothing: who was silent for a minute is gone.
const table = log.table(presence);
await table.ready;
export const present = () =>
  [...table.values()].filter(({ at }) => at > Date.now() - 60_000).map(({ name }) => name);
