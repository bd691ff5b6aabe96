import { describe, expect, test, vi } from 'vitest';
import type { Log, Position } from '../../../src/index.ts';
import type { OffsetRow } from '../../../src/broker/rows/offset-row.ts';
import { offsetRef } from '../../../src/broker/rows/offset-row.ts';
import { memoryHost, openTab, take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  openTabs,
  openTabsOn,
  readOne,
  reading,
  storeHost,
} from '../../support/group-fixture.ts';
import { eventually, pass, settle, stopTime } from '../../support/waiting.ts';

const first = { topic: 't', partition: 0 };

describe('where nothing was committed', () => {
  const times: [string, Position, number][] = [
    ["'earliest'", 'earliest', 0],
    ["'latest'", 'latest', 10],
    ['an offset', 4, 4],
    ['an offset beyond the end', 40, 10],
    ['a Date', new Date(7000), 7],
    ['a Date before the first record', new Date(0), 0],
    ['a Date after the last record', new Date(20_000), 10],
  ];

  test.each(times)('%s is the place, and is committed at once', async (_, from, offset) => {
    const [log] = await openTabs(1, 't');
    const records = Array.from({ length: 10 }, (_, i) => ({ value: 'v', timestamp: i * 1000 }));
    await log!.producer().sendBatch('t', records);
    const { consumer } = await joined(log!, { from });
    expect(consumer.position(first)).toBe(offset);
    expect(await committed(log!)).toEqual({ 't/0': offset });
  });

  test("a member at 'latest' dies before its first commit: the next one gets what came", async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 5);
    await joined(stubbed, { from: 'latest' });
    host.hold('syncGroup');
    await fill(log, 3);
    const b = await joined(log, { from: 'latest' });
    void b.loop();
    await pass(20_000, 500);
    expect(b.read).toEqual(['t/0@5', 't/0@6', 't/0@7']);
  });

  test('a member that leaves before its first commit: the same', async () => {
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 5);
    const a = await joined(mine!, { from: 'latest' });
    await a.consumer.close();
    await fill(mine!, 3);
    const b = await joined(other!, { from: 'latest' });
    expect(b.consumer.position(first)).toBe(5);
  });
});

test("where something was committed, 'from' says nothing", async () => {
  const [log] = await openTabs(1, 't');
  await fill(log!, 10);
  const a = await joined(log!, { commit: 'manual' });
  await a.consumer.commit([{ ...first, offset: 6 }]);
  await a.consumer.close();
  for (const from of ['earliest', 'latest', 2, new Date(0)] as const) {
    const { consumer } = await joined(log!, { from });
    expect(consumer.position(first)).toBe(6);
    await consumer.close();
  }
});

describe('is read from its first record, whatever from says', () => {
  const from = 'latest';

  test('a partition that was added', async () => {
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 5);
    const a = await reading(mine!, { from });
    await other!.admin.createPartitions([{ topic: 't', partitions: 2 }]);
    await fill(other!, 3, [1]);
    await eventually(() => expect(a.read).toEqual(['t/1@0', 't/1@1', 't/1@2']));
  });

  test('a partition that was added while nobody was there', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 5);
    const a = await joined(log!, { from });
    await a.consumer.close();
    await log!.admin.createPartitions([{ topic: 't', partitions: 2 }]);
    await fill(log!, 3, [0, 1]);
    const b = await reading(log!, { from });
    await eventually(() => expect(b.read).toHaveLength(6));
    expect(b.read).toContain('t/0@5');
    expect(b.read).toContain('t/1@0');
  });

  test.each([
    ['by its name', ['t', 'later']],
    ['by a pattern', ['t', /^later$/]],
  ])('a topic that was made later, and is selected %s', async (_, topics) => {
    const [mine, other] = await openTabs(2, 't');
    const a = await reading(mine!, { from, topics });
    await other!.admin.createTopics(['later', 'another']);
    await fill(other!, 3, [0], 'later');
    await eventually(() => expect(a.read).toEqual(['later/0@0', 'later/0@1', 'later/0@2']));
  });

  test('a topic that was made later, though a member joins before the others notice', async () => {
    const host = memoryHost();
    const [mine, other] = await openTabsOn([host, host], 't');
    const subscribed = { from, topics: [/^t/] } as const;
    vi.stubGlobal('BroadcastChannel', undefined); // this tab knows no group, and says nothing
    const silent = await openTab(host, mine!.name).finally(() => vi.unstubAllGlobals());
    const a = await joined(mine!, subscribed);
    await silent.admin.createTopics(['t2']);
    await fill(silent, 3, [0], 't2');
    const b = await joined(other!, subscribed);
    expect([...a.owns, ...b.owns].sort()).toEqual(['t/0', 't2/0']);
    expect(await committed(other!)).toMatchObject({ 't2/0': 0 });
  });
});

describe('a topic that is deleted and made again', () => {
  test('starts afresh, and its old offsets are gone', async () => {
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 10);
    const a = await reading(mine!);
    await eventually(async () => expect(await committed(mine!)).toEqual({ 't/0': 10 }));
    await other!.admin.deleteTopics(['t']);
    expect(await committed(other!)).toEqual({});
    await other!.admin.createTopics(['t']);
    await fill(other!, 2);
    await eventually(() => expect(a.read.slice(10)).toEqual(['t/0@0', 't/0@1']));
    expect(a.events).toEqual(['assigned t/0', 'lost t/0', 'assigned t/0']);
    await eventually(async () => expect(await committed(mine!)).toEqual({ 't/0': 2 }));
  });

  test('while nobody is there: from decides', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 10);
    const a = await joined(log!);
    await a.consumer.close();
    await log!.admin.deleteTopics(['t']);
    await log!.admin.createTopics(['t']);
    await fill(log!, 2);
    const b = await joined(log!, { from: 'latest' });
    expect(b.consumer.position(first)).toBe(2);
    expect(b.events).toEqual(['assigned t/0']);
  });

  test('and a commit of the old one is FENCED, or says that it is gone', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 10);
    const a = new Member(log!, { commit: 'manual' });
    const message = await readOne(a.consumer);
    await log!.admin.deleteTopics(['t']);
    await log!.admin.createTopics(['t']);
    await fill(log!, 1);
    const error: unknown = await message.commit().catch((e: unknown) => e);
    expect(['FENCED', 'UNKNOWN_TOPIC']).toContain((error as { code: string }).code);
    await eventually(async () => expect(await committed(log!)).toEqual({ 't/0': 0 }));
  });
});

describe('an offset out of range', () => {
  /** A log with 10 records, of which a group has committed `offset`, whatever that is. */
  async function committedAt(
    offset: number,
    options: { readonly added?: boolean } = {},
  ): Promise<Log> {
    const { host, store } = storeHost();
    const log = await openTab(host);
    await log.admin.createTopics(['t']);
    const a = await joined(log);
    const partition = options.added === true ? 1 : 0;
    if (partition === 1) {
      await log.admin.createPartitions([{ topic: 't', partitions: 2 }]);
      await eventually(() => expect(a.owns).toHaveLength(2));
    }
    await a.consumer.close();
    await fill(log, 10, [partition]);
    const [{ id }] = await log.admin.describeTopics(['t']);
    const ref = offsetRef('g', { topicId: id, partition });
    await store.update([ref], ([row], write) => {
      write.put(ref.store, ref.key, { ...(row as OffsetRow), offset });
    });
    return log;
  }

  test.each([
    ['earliest', 0],
    ['latest', 10],
    [3, 3],
  ] as const)('that was committed follows from: %s, and says so', async (from, offset) => {
    const log = await committedAt(99);
    const a = await joined(log, { from });
    expect(a.events).toEqual([`reset t/0 from 99 to ${offset}`, 'assigned t/0']);
    expect(a.consumer.position(first)).toBe(offset);
    expect(await committed(log)).toEqual({ 't/0': offset });
    await a.consumer.close();
    expect((await joined(log, { from })).events).toEqual(['assigned t/0']);
  });

  test('that was committed of a partition that came later follows from as well', async () => {
    const log = await committedAt(99, { added: true });
    const a = await joined(log, { from: 'latest' });
    expect(a.events[0]).toBe('reset t/1 from 99 to 10');
  });

  test('tells the range', async () => {
    const log = await committedAt(99);
    const events: object[] = [];
    const { consumer } = new Member(log, { from: 4 });
    consumer.on('reset', (event) => void events.push(event));
    await consumer.ready;
    const range = { startOffset: 0, endOffset: 10 };
    expect(events).toEqual([{ ...first, ...range, outOfRange: 99, offset: 4 }]);
  });

  test('of another log is none: from decides, and nothing is said', async () => {
    const { host, store } = storeHost();
    const log = await openTab(host);
    await log.admin.createTopics(['t']);
    await fill(log, 10);
    await (await joined(log)).consumer.close();
    const [{ id }] = await log.admin.describeTopics(['t']);
    const ref = offsetRef('g', { topicId: id, partition: 0 });
    await store.update([ref], ([row], write) => {
      write.put(ref.store, ref.key, { ...(row as OffsetRow), offset: 5, logId: 'another' });
    });
    expect(await committed(log)).toEqual({});
    const a = await joined(log, { from: 'latest' });
    expect(a.events).toEqual(['assigned t/0']);
    expect(a.consumer.position(first)).toBe(10);
  });

  test('that somebody seeks follows from, and says so; the loop goes on', async () => {
    const [log] = await openTabs(1, four);
    await fill(log!, 10, [0]);
    const a = await reading(log!, { maxWaitMs: 20 });
    await eventually(() => expect(a.read).toHaveLength(10));
    await a.consumer.seek(77, first);
    await eventually(() => expect(a.read).toHaveLength(20));
    expect(a.events.at(-1)).toBe('reset t/0 from 77 to 0');
    await settle();
    expect(a.read.slice(10)).toEqual(a.read.slice(0, 10));
  });
});

test('what is committed is told by position, of a member that takes over in the middle', async () => {
  const [mine, other] = await openTabs(2, four);
  await fill(mine!, 10, [0, 1, 2, 3]);
  const a = await joined(mine!);
  const read = await take(a.consumer, 25);
  const places = new Map<number, number>();
  for (const { partition, offset } of read.slice(0, -1)) places.set(partition, offset + 1);
  await a.consumer.close();
  const b = await joined(other!);
  for (const where of b.consumer.assignment) {
    expect(b.consumer.position(where)).toBe(places.get(where.partition) ?? 0);
  }
});
