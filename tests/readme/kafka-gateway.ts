import { json, openLog, topic } from 'tablog';
import { connect, httpSink } from 'tablog/connect';
import { followMirror } from 'tablog/connect/mirror';

declare const token: string; // whoever opens the page sees it
const orders = topic('orders', { value: json<{ item: string }>(), partitions: 3 });
export const log = await openLog('shop');
await log.admin.createTopics([orders]);
const auth = () => ({ authorization: `Bearer ${token}` });
const sink = httpSink({ url: 'https://kafka.example/', receiver: true, auth });
export const sending = connect(log, { name: 'kafka', topics: [orders], sink });
const port = () => new WebSocket(`wss://kafka.example/?topic=prices&token=${token}`);
export const prices = followMirror(log, { name: 'prices', port });
