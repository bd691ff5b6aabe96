import { json, openLog, string, table, topic } from 'tablog';

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

const present = table(log, presence);
await present.ready;
// A tab that crashed has not said so: who was silent for a minute is gone.
export const names = () =>
  [...present.values()].filter(({ at }) => at > Date.now() - 60_000).map(({ name }) => name);
