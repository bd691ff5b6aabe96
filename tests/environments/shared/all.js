import { bytes, json, openLog, string, topic } from 'tablog';
import { memoryStore, openBroker } from 'tablog/broker';
import { inline } from 'tablog/inline';

/**
 * Uses every part of the package, with values of the environment's own classes. Throws where one does
 * not work, or comes back differently.
 */
export async function useAll() {
  await useBroker();
  const log = await openLog('all', { host: inline({ storage: 'memory' }) });
  const orders = topic('orders', { key: string(), value: json(), partitions: 2 });
  const files = topic('files', { value: bytes() });
  const texts = topic('texts', { key: string(), value: string() });
  const memory = topic('memory', { storage: 'memory', value: string() });
  await log.admin.createTopics([orders, files, texts, memory]);
  const producer = log.producer();

  const sent = [new Uint8Array([1, 2, 255])];
  if (typeof Buffer !== 'undefined') sent.push(Buffer.from([1, 2, 255]));
  const timestamp = new Date(1_000);
  for (const value of sent) {
    await producer.send(files, { value, timestamp, headers: { trace: 'ü', raw: value } });
  }
  for (const message of await take(log, { topics: [files] }, sent.length)) {
    equal([...message.value], [1, 2, 255]);
    equal(message.timestamp, 1_000);
    equal(message.header('trace'), 'ü');
  }

  const long = 'Grüße, 世界 😀, and more. '.repeat(100);
  await log.producer({ compression: 'gzip' }).send(texts, { key: 'schlüssel', value: long });
  const [text] = await take(log, { topics: [/^texts/], from: new Date(0) }, 1);
  equal(text.topic, 'texts');
  const [read] = await take(log, { topics: [texts] }, 1);
  equal([read.key, read.value], ['schlüssel', long]);

  await producer.send(memory, { value: 'in memory' });
  equal((await take(log, { topics: [memory] }, 1))[0].value, 'in memory');

  await producer.transaction((tx) => {
    tx.send(orders, { key: 'a', value: { id: 1 } });
    tx.send(orders, { key: 'b', value: { id: 2 } });
  });
  const members = ['one', 'two'].map((memberId) =>
    log.consumer({ group: 'g', memberId, topics: [orders, /^orders-/], from: 'earliest' }),
  );
  await Promise.all(members.map((member) => member.ready));
  const abort = new AbortController();
  const handled = [];
  const runner = log.consumer({ topics: [orders], from: 'earliest', signal: abort.signal });
  await runner.run({
    async eachMessage({ value }) {
      if (handled.push(value.id) === 2) abort.abort();
    },
  });
  equal(handled.sort(), [1, 2]);
  await Promise.all(members.map((member) => member.close()));
  equal((await log.admin.describeGroups(['g']))[0].state, 'empty');

  if (typeof ReadableStream !== 'undefined') {
    const parts = [];
    const reader = log.admin.exportPartition({ topic: files, partition: 0 }).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
    }
    await importAs(log, 'from-blob', new Blob(parts), sent.length);
    await importAs(
      log,
      'from-bytes',
      new Uint8Array(parts.flatMap((part) => [...part])),
      sent.length,
    );
  }
  equal((await log.admin.describeLog()).persisted, false);
  await log.close();
}

/** A broker and a store, without a log around them. */
async function useBroker() {
  const store = memoryStore();
  const { broker, close } = openBroker({ log: 'bare', store });
  await broker.openLog({ logId: null });
  const [{ name }] = await broker.createTopics([{ name: 'orders' }]);
  equal([name, await store.list()], ['orders', ['bare']]);
  close();
}

async function importAs(log, name, file, count) {
  await log.admin.createTopics([topic(name)]);
  equal((await log.admin.importPartition({ topic: name, partition: 0 }, file)).records, count);
}

async function take(log, options, count) {
  const messages = [];
  const consumer = log.consumer({ from: 'earliest', ...options });
  for await (const message of consumer) {
    if (messages.push(message) === count) break;
  }
  await consumer.close();
  return messages;
}

function equal(got, wanted) {
  const [a, b] = [got, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`got ${a}, wanted ${b}`);
}
