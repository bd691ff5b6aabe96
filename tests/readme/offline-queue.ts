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

// In each tab; the group has one of them post. What is not posted stays, for months if need be.
const poster = log.consumer({ group: 'poster', topics: [events], from: 'earliest' });
void poster.run({
  async eachBatch({ messages }, { signal, retryAfter }) {
    const response = await fetch('/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      // A record keeps its id when it is posted again: the server drops the ids that it has.
      body: JSON.stringify(messages.map(({ id, value }) => ({ id, ...value }))),
      signal,
    });
    const seconds = response.headers.get('retry-after');
    if (seconds !== null) throw retryAfter(Number(seconds) * 1000);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
  },
  onError: 'retry',
  retries: Infinity,
});
