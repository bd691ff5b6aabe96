import { expect, test, vi } from 'vitest';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import type { InlineHost, Log } from '../../../src/index.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type * as Lz4 from '../../../src/record/compression/lz4.ts';
import type { FetchedPartition } from '../../../src/protocol/fetch.ts';
import { kafkaSegment, kafkaSegments } from '../../support/kafka-logs.ts';
import { openTab, take, texts } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';

/** As where a file of the build is not served: once it is, the next call finds it. */
let isServed = false;
vi.mock('../../../src/record/compression/lz4.ts', async (original) => {
  const { lz4 } = await original<typeof Lz4>();
  return {
    get lz4() {
      if (!isServed) throw new TypeError('Failed to fetch dynamically imported module');
      return lz4;
    },
  };
});

/** As the tabs of a worker are: nobody has a codec before a batch needs it, as `inline()` has. */
function workerHost(): InlineHost {
  return {
    open(log) {
      const broker = new LogBroker({ name: log, openStore: async () => openMemoryStore() });
      return { broker, close: () => broker.close() };
    },
  };
}

async function openWith(topic: string): Promise<Log> {
  const log = await openTab(workerHost());
  await log.admin.createTopics([topic]);
  return log;
}

test('an import whose codec cannot be loaded stores nothing, and can be tried again', async () => {
  const log = await openWith('to');
  const importing = log.admin.importPartition(
    { topic: 'to', partition: 0 },
    kafkaSegments('codec-lz4'),
  );
  await expect(importing).rejects.toMatchObject({
    code: 'LOAD_FAILED',
    retriable: false,
    details: { codec: 'lz4', partition: 0, offset: 0, topicId: expect.any(String) as string },
    message: expect.stringMatching(
      /code for lz4 could not be loaded .*partition 0, offset 0/,
    ) as string,
  });
  expect(await log.admin.describeTopics(['to'])).toMatchObject([
    { partitions: [{ endOffset: 0 }] },
  ]);
});

test('a producer of such a codec is told, and stores nothing', async () => {
  const log = await openWith('to');
  const producer = log.producer({ compression: 'lz4', idempotent: false });
  await expect(producer.send('to', { value: 'v' })).rejects.toMatchObject({ code: 'LOAD_FAILED' });
});

test('a consumer is told where, reads what needs no such code, and goes on once it is there', async () => {
  const host = stubHost(workerHost());
  const log = await openTab(host);
  await log.admin.createTopics(['lz4', 'plain']);
  await log.producer().send('plain', { value: 'plain' });
  const [{ id }] = await log.admin.describeTopics(['lz4']);
  host.answer('fetch', async (request, real) => {
    const others = request.partitions.filter(({ topicId }) => topicId !== id);
    const wanted = request.partitions.find(({ topicId }) => topicId === id);
    const fetched: FetchedPartition[] = [];
    if (wanted?.offset === 0) {
      const segments = [kafkaSegment('codec-lz4').buffer];
      const place = { topicId: id, partition: 0, offset: 0, endOffset: 28, nextOffset: 28 };
      fetched.push({ ...place, segments, compressed: true });
    }
    const maxWaitMs = fetched.length > 0 ? 0 : request.maxWaitMs;
    return [...fetched, ...(await real({ ...request, maxWaitMs, partitions: others }))];
  });
  const consumer = log.consumer({ topics: ['lz4', 'plain'], from: 'earliest' });
  const read: unknown[] = [];
  const failing = (async () => {
    for await (const message of consumer) read.push(...texts([message]));
  })();
  await expect(failing).rejects.toMatchObject({
    code: 'LOAD_FAILED',
    details: { codec: 'lz4', topic: 'lz4', partition: 0, offset: 0 },
  });
  isServed = true;
  const rest = await take(consumer, 29 - read.length);
  expect([...read, ...texts(rest)]).toContain('plain');
  expect(rest.filter((message) => message.topic === 'lz4')).toHaveLength(28);
});
