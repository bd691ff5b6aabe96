import { json, openLog, string, topic } from 'tablog';

interface Order {
  id: string;
  qty: number;
}
const orders = topic('orders', { key: string(), value: json<Order>(), partitions: 4 });
const audit = topic('audit', { key: string(), value: json<{ who: string }>() });

await using log = await openLog('store'); // starts the worker, or joins it
await log.admin.createTopics([orders, audit]); // idempotent: an existing, equal topic is kept

const producer = log.producer({ lingerMs: 5, compression: 'gzip', durability: 'relaxed' });
const placed = await producer.send(orders, {
  key: 'u1',
  value: { id: 'o1', qty: 2 },
  headers: { trace: 't-1' },
});
console.log(placed.partition, placed.offset); // numbers: safe integers
await producer.sendBatch(orders, [{ key: 'u2', value: { id: 'o2', qty: 1 } }]);

// Every tab sees everything: no group.
await using viewer = log.consumer({ topics: [orders, audit], from: 'earliest' });
let left = 2;
for await (const message of viewer) {
  // The loop body is the back-pressure.
  if (message.topic === 'orders') console.log(message.value?.qty); // Order | null, told apart by topic
  if (--left === 0) break; // another loop goes on with the next message
}

// Tabs share the work: a group. Each partition is read by one member; when its tab closes, crashes
// or freezes, another goes on where it left off.
await using worker = log.consumer({ group: 'billing', topics: [orders], from: 'earliest' });
await worker.ready; // joined, assigned, positioned
for await (const batch of worker.batches({ max: 500, maxWaitMs: 50 })) {
  left += batch.messages.length;
  await batch.commit(); // without it, a batch is committed when the next one is asked for
  if (left === 2) break;
}

const [{ partitions }] = await log.admin.describeGroups(['billing']); // members, owners, offsets, lag
console.log(partitions.map(({ lag }) => lag));
