import { json, openLog, string, topic } from 'tablog';

interface Order {
  id: string;
  qty: number;
}
const orders = topic('orders', { key: string(), value: json<Order>(), partitions: 4 });

const log = await openLog('shop'); // starts the worker, or joins the one that the other tabs have
await log.admin.createTopics([orders]); // an existing, equal topic is kept

const producer = log.producer();
const { partition, offset } = await producer.send(orders, {
  key: 'u1',
  value: { id: 'o1', qty: 2 },
});
console.log(`stored in partition ${partition} at offset ${offset}`);

// Every tab sees every record. 'earliest' begins with the oldest; the default is 'latest': only what
// is sent from now on.
const consumer = log.consumer({ topics: [orders], from: 'earliest' });
for await (const message of consumer) {
  console.log(message.offset, message.value);
}
