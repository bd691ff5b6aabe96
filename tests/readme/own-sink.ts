import { json, openLog, topic } from 'tablog';
import { SinkError, connect, filterRecords, maskFields } from 'tablog/connect';
import type { Sink } from 'tablog/connect';

const visits = topic('visits', { value: json<{ page: string; name: string }>() });
const refused = topic('visits-refused', { value: json<{ page: string; name: string }>() });
const log = await openLog('site');
await log.admin.createTopics([visits, refused]);

/** At least once; with `position()` beside `put`, once. */
const sink: Sink = {
  async put({ records }, { signal }) {
    const body = JSON.stringify(records.map(({ id, value }) => ({ id, value })));
    const response = await fetch('/visits', { method: 'POST', body, signal });
    if (response.status === 422) throw new SinkError('refused', await response.text());
    if (!response.ok) throw new Error(`the server answered ${response.status}`); // comes again
  },
};

export const connector = connect(log, {
  name: 'visits',
  topics: [visits],
  sink,
  transform: [filterRecords(({ value }) => value !== null), maskFields(['name'], '***')],
  deadLetterTopic: refused,
  onStatus: (state, error) => console.log(state, error?.message ?? ''),
});
