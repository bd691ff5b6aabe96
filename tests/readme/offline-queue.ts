import { json, openLog, topic } from 'tablog';

interface Event {
  type: string;
  at: number;
}
const events = topic('events', { value: json<Event>(), retention: { bytes: 20_000_000 } });

const log = await openLog('analytics');
await log.admin.createTopics([events]);
const producer = log.producer();
export const track = (type: string) => producer.send(events, { value: { type, at: Date.now() } });
addEventListener('pagehide', () => void track('left')); // stored, though the page is gone

// In each tab; the group has one of them post.
const poster = log.consumer({ group: 'poster', topics: [events], from: 'earliest' });
void poster.run({
  async eachBatch({ messages }, { signal, retryAfter }) {
    const response = await fetch('/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      // The id is the same whenever the record is sent again: the server drops what it has.
      body: JSON.stringify(messages.map(({ id, value }) => ({ id, ...value }))),
      signal,
    });
    const wait = response.headers.get('retry-after');
    if (wait !== null) throw retryAfter(Number(wait) * 1000);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
  },
  onError: 'retry',
  retries: Infinity,
});
