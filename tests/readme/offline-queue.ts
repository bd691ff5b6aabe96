import { json, openLog, topic } from 'tablog';

interface Event {
  type: string;
  at: number;
}
const events = topic('events', {
  value: json<Event>(),
  retention: { bytes: 20_000_000 }, // of what has been posted
  protectUncommitted: ['poster'], // what has not stays, for as long as the browser keeps the site's data
});
const refused = topic('events-refused', { value: json<Event>(), retention: { bytes: 1_000_000 } });

const log = await openLog('analytics');
await log.admin.createTopics([events, refused]);
const producer = log.producer();
export const track = (type: string) => producer.send(events, { value: { type, at: Date.now() } });
addEventListener('pagehide', () => void track('left')); // stored, except from WebKit's last tab

class Refused extends Error {}

// In each tab; the group has one of them post.
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
    if (response.ok) return;
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    if (seconds >= 0) throw retryAfter(seconds * 1000);
    if ([400, 413, 422].includes(response.status)) throw new Refused(response.statusText);
    throw new Error(`the server answered ${response.status}`);
  },
  // A batch that the server refuses is put aside as a whole; anything else passes.
  onError: (error) => (error instanceof Refused ? 'deadLetter' : 'retry'),
  deadLetterTopic: refused,
  retries: Infinity,
});
