import { json, openLog, string, topic } from 'tablog';

interface Order {
  id: string;
  qty: number;
}
const orders = topic('orders', { key: string(), value: json<Order>(), partitions: 4 });
const audit = topic('audit', { key: string(), value: json<{ who: string }>() });

await using log = await openLog('shop'); // starts the worker, or joins it
await log.admin.createTopics([orders, audit]); // idempotent: an existing, equal topic is kept

const producer = log.producer({ lingerMs: 5, compression: 'gzip', durability: 'relaxed' });
const placed = await producer.send(orders, {
  key: 'u1',
  value: { id: 'o1', qty: 2 },
  headers: { trace: 't-1' },
});
console.log(placed.partition, placed.offset); // numbers: safe integers
await producer.sendBatch(orders, [{ key: 'u2', value: { id: 'o2', qty: 1 } }]);

// Every tab sees everything.
await using consumer = log.consumer({ topics: [orders, audit], from: 'earliest' });
let left = 2;
for await (const message of consumer) {
  // The loop body is the back-pressure.
  if (message.topic === 'orders') console.log(message.value?.qty); // Order | null, told apart by topic
  if (--left === 0) break; // another loop goes on with the next message
}

const { partitions } = await log.admin.describeTopic('orders'); // start and end offsets, bytes
console.log(partitions.map(({ endOffset }) => endOffset));
