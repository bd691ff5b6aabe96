import { json, openLog, string, topic } from 'tablog';

const orders = topic('orders', { key: string(), value: json<{ qty: number }>() });
const audit = topic('audit', { key: string(), value: json<{ who: string }>() });
const replay = topic('replay', { key: string(), value: json<{ qty: number }>() });

await using log = await openLog('warehouse');
await log.admin.createTopics([orders, audit, replay]);
const producer = log.producer();
const first = await producer.send(orders, { key: 'u1', value: { qty: 2 } });

// Only if nobody was faster: the next offset of the partition, or CONFLICT.
const expectedOffset = first.offset + 1;
await producer.send(orders, { key: 'u1', value: { qty: 3 }, expectedOffset });

// Records and offsets in one IndexedDB transaction: consume, transform, produce, exactly once.
const from = 'earliest';
await using worker = log.consumer({ group: 'audit', topics: [orders], from, commit: 'manual' });
for await (const message of worker) {
  const { placements } = await producer.transaction((tx) => {
    tx.send(audit, { key: message.key, value: { who: 'audit' } });
    tx.commitOffsets(worker);
  });
  console.log(placements[0]?.offset);
  if (message.offset === expectedOffset) break;
}

// With a concurrency, a transaction names its offsets. Use eachBatch: one that names the offset of a
// message while an earlier one of its partition is in hand is refused.
const group = 'audit-batches';
await using copier = log.consumer({ group, topics: [orders], from, commit: 'manual' });
void copier.run({
  concurrency: 4,
  async eachBatch({ topic, partition, messages, lastOffset }) {
    await producer.transaction((tx) => {
      for (const { key } of messages) tx.send(audit, { key, value: { who: group } });
      tx.commitOffsets(copier, [{ topic, partition, offset: lastOffset + 1 }]);
    });
  },
});

// Old data goes by rule, or at once.
const retention = { ms: 7 * 86_400_000, bytes: 50_000_000 };
await log.admin.alterTopics([
  { topic: orders, config: { retention, protectUncommitted: ['audit'] } },
  { topic: audit, config: { cleanup: 'compact' } },
]);
await log.admin.alterLog({ maxBytes: 500_000_000 });
await log.admin.deleteRecords([{ topic: orders, partition: 0, before: expectedOffset }]);

// A partition as a Kafka log file, for a bug report, and back.
const exported = log.admin.exportPartition({ topic: orders, partition: 0 });
const file = await new Response(exported).blob();
const imported = await log.admin.importPartition({ topic: replay, partition: 0 }, file);
console.log(imported.startOffset, imported.records);
