import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { json, string, topic } from '../../../src/index.ts';
import type { Log, MessageOf, TopicLike } from '../../../src/index.ts';
import { openTab, take } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const COUNT = 3000;
/** Records that were sent together come in one buffer. */
const SEGMENT = 500;
const KEPT = 100;
const VALUE = 'v'.repeat(1000);

/** Bun's engine takes what looks like an address on the stack for one, and so collects not all. */
const testCollected = test.skipIf('Bun' in globalThis);

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

interface Fetching {
  readonly log: Log;
  /** How many of the buffers that were fetched are not collected. */
  readonly held: () => Promise<number>;
}

/** A log with `COUNT` records of some 1 kB, and a count of what is kept of what is fetched. */
async function fullLog(): Promise<Fetching> {
  const fetched: WeakRef<ArrayBuffer>[] = [];
  const host = stubHost();
  host.answer('fetch', async (request, real) => {
    const answer = await real(request);
    return answer.map((part) => {
      if ('error' in part) return part;
      // As in a page, where the worker transfers them: nobody else has these buffers.
      const segments = part.segments.map((segment) => segment.slice(0));
      fetched.push(...segments.map((segment) => new WeakRef(segment)));
      return { ...part, segments };
    });
  });
  const log = await openTab(host);
  await log.admin.createTopics(['t']);
  const headers = { trace: 'abc' };
  const value = JSON.stringify(VALUE);
  for (let i = 0; i < COUNT; i += SEGMENT) {
    const records = Array.from({ length: SEGMENT }, () => ({ key: 'k', value, headers }));
    await log.producer().sendBatch('t', records);
  }
  return {
    log,
    held: async () => {
      await settle();
      collectGarbage();
      return fetched.filter((ref) => ref.deref() !== undefined).length;
    },
  };
}

/** Reads all, and keeps every `COUNT / KEPT`th message. */
async function keepSome<T extends TopicLike>(log: Log, of: T): Promise<MessageOf<T>[]> {
  const consumer = log.consumer({ topics: [of], from: 'earliest', maxPartitionBytes: 64 * 1024 });
  const kept: MessageOf<T>[] = [];
  for (let left = KEPT; left > 0; left--) {
    const [message] = await take(consumer, 1);
    kept.push(message!);
    await take(consumer, COUNT / KEPT - 1);
  }
  await consumer.close();
  return kept;
}

testCollected.each<[string, TopicLike]>([
  ['JSON', topic('t', { key: string(), value: json<string>() })],
  ['text', topic('t', { key: string(), value: string() })],
])('messages of %s that are kept keep nothing that was fetched', async (_, of) => {
  const { log, held } = await fullLog();
  const kept = await keepSome(log, of);
  expect(await held()).toBeLessThanOrEqual(1); // the consumer's last

  expect(kept).toHaveLength(KEPT);
  expect(kept[0]!.header('trace')).toBe('abc');
});

testCollected(
  'of bytes a clone() keeps nothing that was fetched, and the message itself does',
  async () => {
    const { log, held } = await fullLog();
    let kept = await keepSome(log, 't');
    expect(await held()).toBe(COUNT / SEGMENT);
    kept = kept.map((message) => message.clone());
    expect(await held()).toBeLessThanOrEqual(1);
    const buffers = new Set(kept.flatMap(({ key, value }) => [key!.buffer, value!.buffer]));
    const bytes = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(bytes).toBe(KEPT * ('k'.length + JSON.stringify(VALUE).length));
  },
);
