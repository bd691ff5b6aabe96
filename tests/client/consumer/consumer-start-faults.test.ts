import { beforeEach, describe, expect, test } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import type { ErrorRule } from '../../../src/base/error-rule.ts';
import { TablogError, table, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, Log, Message, TopicFilter } from '../../../src/index.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { memoryHost, numbered, openTab, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

let clock: ManualClock;
let host: StubHost;
let log: Log;
/** The same log in a tab whose worker and storage are there. */
let other: Log;
beforeEach(async () => {
  const memory = memoryHost();
  clock = new ManualClock(Date.now());
  host = stubHost(memory);
  const name = crypto.randomUUID();
  other = await openTab(memory, name);
  await other.admin.createTopics([topic('t', { partitions: 2 }), 'dead']);
  log = openTabWith(clock, host, name);
  await settle();
});

const AWAY: [string, ErrorRule][] = [
  ['a busy disk', STORAGE_UNAVAILABLE],
  ['a database that is held', STORAGE_TIMEOUT],
  ['lost answers', OUTCOME_UNKNOWN],
];

const MEMBERSHIPS: [string, Partial<ConsumerOptions>][] = [
  ['without a group', {}],
  ['in a group', { group: 'g', sessionTimeoutMs: 600_000 }],
];

/** Calls of the method fail from now on; a lost answer is of a call that was made. */
function fail(method: Method, rule: ErrorRule): void {
  host.answer(method, async (request, real) => {
    if (rule === OUTCOME_UNKNOWN) await real(request);
    throw new TablogError(rule, 'it is away');
  });
}

/** Time goes by. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    for (let turn = 0; turn < 4; turn++) await settle();
    clock.advance(100);
  }
  for (let turn = 0; turn < 4; turn++) await settle();
}

function consume(options: Partial<ConsumerOptions<TopicFilter>> = {}): Consumer {
  const defaults = { topics: ['t'], from: 'earliest', maxWaitMs: 20 };
  return log.consumer({ ...defaults, ...options } as ConsumerOptions);
}

/** Reads `count` messages while time goes by. */
async function read(consumer: Consumer, count: number): Promise<(string | null)[]> {
  const values: (string | null)[] = [];
  const reading = (async () => {
    for await (const message of consumer) {
      values.push(...texts([message as Message<string, unknown, Uint8Array>]));
      if (values.length === count) break;
    }
  })();
  reading.catch(() => {});
  for (let turn = 0; turn < 30 && values.length < count; turn++) await pass(100);
  return values;
}

async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const waiting = settle().then(() => 'waits');
  return Promise.race([promise.then(() => 'ready'), waiting]);
}

describe.each(MEMBERSHIPS)('%s', (_, membership) => {
  const isMember = membership.group !== undefined;

  describe.each(AWAY)('a start outlives %s', (_name, rule) => {
    const calls: [Method, Partial<ConsumerOptions>][] = [
      ['listTopicOffsets', { from: 'latest' }],
      ['listTopics', { deadLetterTopic: 'dead' }],
      ...(isMember ? ([['joinGroup', {}]] as [Method, Partial<ConsumerOptions>][]) : []),
    ];
    test.each(calls)('of %s, however long it lasts', async (method, options) => {
      fail(method, rule);
      const consumer = consume({ ...options, ...membership });
      const { ready } = consumer;
      await pass(60_000);
      expect(await stateOf(ready)).toBe('waits');
      const asked = host.requests(method).length;
      // With back-off, and each time up to three workers.
      expect(asked).toBeGreaterThan(30);
      expect(asked).toBeLessThan(rule === OUTCOME_UNKNOWN ? 250 : 85);
      host.answer(method, undefined);
      await pass(1_300);
      await ready;
      await other.producer().sendBatch('t', [{ value: 'new', partition: 1 }]);
      expect(await read(consumer, 1)).toEqual(['new']);
      expect(consumer.assignment).toHaveLength(2);
      if (!isMember) return;
      const [{ members }] = await other.admin.describeGroups(['g']);
      expect(members.map(({ memberId }) => memberId)).toEqual([consumer.memberId]);
    });
  });

  test("'latest' is the end as of the making, though its look-up comes late", async () => {
    const before = numbered(3).map((record) => ({ ...record, partition: 0 }));
    await other.producer().sendBatch('t', before);
    clock.advance(1_000);
    fail('listTopicOffsets', STORAGE_UNAVAILABLE);
    const consumer = consume({ from: 'latest', ...membership });
    await pass(1_000);
    const producer = log.producer();
    void producer.send('t', { value: 'between 1', partition: 0 });
    await pass(1_000);
    void producer.send('t', { value: 'between 2', partition: 0 });
    await pass(1_000);
    host.answer('listTopicOffsets', undefined);
    await pass(1_300);
    await consumer.ready;
    void producer.send('t', { value: 'after', partition: 0 });
    expect(await read(consumer, 3)).toEqual(['between 1', 'between 2', 'after']);
  });

  test.each<Method>(isMember ? ['listTopicOffsets', 'joinGroup'] : ['listTopicOffsets'])(
    'closing ends a start that waits for %s, and leaves no timer',
    async (method) => {
      fail(method, STORAGE_UNAVAILABLE);
      const consumer = consume({ from: 'latest', ...membership });
      const next = consumer[Symbol.asyncIterator]().next();
      await pass(5_000);
      await consumer.close();
      await settle();
      await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
      expect(await next).toMatchObject({ done: true });
      expect(clock.timers).toBe(0);
    },
  );

  test('a disk that is full is told at once: somebody has to make room', async () => {
    fail(isMember ? 'joinGroup' : 'listTopicOffsets', STORAGE_FULL);
    const { ready } = consume(membership);
    await expect(ready).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  });
});

test('a member whose answers were lost does not find its own name taken', async () => {
  fail('joinGroup', OUTCOME_UNKNOWN);
  const consumer = consume({ group: 'g', memberId: 'me', sessionTimeoutMs: 600_000 });
  await pass(3_000);
  const [{ members }] = await other.admin.describeGroups(['g']);
  expect(members.map(({ memberId }) => memberId)).toEqual(['me']);
  host.answer('joinGroup', undefined);
  await pass(1_300);
  await consumer.ready;
  expect(consumer.assignment).toHaveLength(2);
});

describe('a table', () => {
  test.each(AWAY)('outlives %s from its start on', async (_, rule) => {
    await other.producer().send('t', { key: 'k', value: 'v' });
    fail('listTopicOffsets', rule);
    const { ready, size } = table(log, 't');
    expect(size).toBe(0);
    await pass(60_000);
    expect(await stateOf(ready)).toBe('waits');
    host.answer('listTopicOffsets', undefined);
    await pass(1_500);
    await ready;
  });

  test.each<Method>(['listTopicOffsets', 'fetch', 'listOffsets'])(
    'tells by ready what does not pass: %s',
    async (method) => {
      await other.producer().send('t', { key: 'k', value: 'v' });
      fail(method, STORAGE_FULL);
      const latest = table(log, 't');
      await expect(latest.ready).rejects.toMatchObject({ code: 'STORAGE_FULL' });
      expect(latest.error).toMatchObject({ code: 'STORAGE_FULL' });
    },
  );
});

describe('a reset whose look-up', () => {
  /** A consumer whose next record in partition 0 is deleted. */
  async function leftBehind(): Promise<Consumer> {
    const records = numbered(4).map((record) => ({ ...record, partition: 0 }));
    await other.producer().sendBatch('t', records);
    const consumer = consume();
    await pass(200);
    await consumer.ready;
    consumer.pause();
    await other.admin.deleteRecords([{ topic: 't', partition: 0, before: 2 }]);
    await consumer.seek(0, { topic: 't', partition: 0 });
    return consumer;
  }

  test.each(AWAY)('meets %s waits with back-off, and goes on', async (_, rule) => {
    const consumer = await leftBehind();
    fail('listOffsets', rule);
    const before = host.requests('listOffsets').length;
    consumer.resume();
    const reading = read(consumer, 2);
    await pass(60_000);
    const asked = host.requests('listOffsets').length - before;
    expect(asked).toBeGreaterThan(30);
    expect(asked).toBeLessThan(rule === OUTCOME_UNKNOWN ? 250 : 85);
    host.answer('listOffsets', undefined);
    await pass(1_300);
    expect(await reading).toEqual(['2', '3']);
  });

  test('is refused tells why, until a seek', async () => {
    const consumer = await leftBehind();
    fail('listOffsets', STORAGE_FULL);
    consumer.resume();
    const messages = consumer[Symbol.asyncIterator]();
    await expect(messages.next()).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      details: { topic: 't', partition: 0 },
    });
    expect(host.requests('listOffsets').length).toBeLessThan(3);
    await consumer.seek(3, { topic: 't', partition: 0 });
    expect(await read(consumer, 1)).toEqual(['3']);
  });
});
