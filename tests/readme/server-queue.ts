import { json, openLog, topic } from 'tablog';
import { connect, httpSink } from 'tablog/connect';
const events = topic('events', { value: json<object>(), protectUncommitted: ['connect-server'] });
const log = await openLog('analytics');
await log.admin.createTopics([events]);
const sink = httpSink({ url: 'https://server.example/events', receiver: true });
export const connector = connect(log, { name: 'server', topics: [events], sink });
const producer = log.producer();
export const track = (type: string) => producer.send(events, { value: { type, at: Date.now() } });
