import { describe, expect, test } from 'vitest';
import { CLOSED, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { deferred } from '../../../src/base/deferred.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { PartitionHead } from '../../../src/log/head.ts';
import type { RowRef } from '../../../src/store/store.ts';
import { baseOffset, errorOf, found, recordsOf } from '../../support/broker-fixture.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import type { Fault } from '../../support/fault-store.ts';
import { idle } from '../../support/waiting.ts';
import { CleanedPartition } from './cleaned-partition.ts';

const DAY_MS = 86_400_000;

type Work = 'compact' | 'merge' | 'sweep' | 'fit';

/** A partition that is filled and read as text. */
class Kept extends CleanedPartition {
  /** 'k=v' each, 'k' for a tombstone; one batch. */
  async append(...texts: string[]): Promise<number> {
    const records = texts.map((text) => {
      const [key, value] = text.split('=') as [string, string | undefined];
      return recordOf({ key, value: value ?? null });
    });
    return baseOffset(await this.broker.produce(this.topic, batchOf(records).buffer));
  }

  /** Many small rows, in which few keys are written again and again. */
  async fill(rows: number): Promise<void> {
    for (let i = 0; i < rows; i++) await this.append(`k${i % 7}=${i}`);
  }

  async head(): Promise<PartitionHead> {
    return this.keeper().head();
  }

  /** 'offset:k=v' each, read from the store. */
  async read(): Promise<string[]> {
    const reader = this.log.broker();
    const texts: string[] = [];
    const { startOffset } = await this.head();
    for (let offset = startOffset; ;) {
      const fetched = await reader.fetch(this.topic, { offset });
      if (fetched === undefined) return texts;
      for (const record of recordsOf(fetched)) {
        if (record.offset < offset) continue;
        const key = Buffer.from(record.key!, 'hex').toString();
        const value =
          record.value === null ? '' : `=${Buffer.from(record.value, 'hex').toString()}`;
        texts.push(`${record.offset}:${key}${value}`);
      }
      offset = found(fetched).nextOffset;
    }
  }
}

describe('compaction', () => {
  test('keeps the last record of each key, at its own offset', async () => {
    const kept = await Kept.open();
    await kept.append('a=1', 'b=1', 'a=2');
    await kept.append('a=3');
    await kept.keeper().compact(DAY_MS, () => 0);
    expect(await kept.read()).toEqual(['1:b=1', '3:a=3']);
  });

  test('tombstones stay until they have served', async () => {
    const kept = await Kept.open();
    await kept.append('a=1', 'b=1', 'a');
    await kept.keeper().compact(DAY_MS, () => 0);
    expect(await kept.read()).toEqual(['1:b=1', '2:a']);
    await kept.keeper().compact(DAY_MS, () => DAY_MS - 1);
    expect(await kept.read()).toEqual(['1:b=1', '2:a']);
    await kept.keeper().compact(DAY_MS, () => DAY_MS);
    expect(await kept.read()).toEqual(['1:b=1']);
    expect((await kept.head()).endOffset).toBe(3);
  });

  test('records that are appended meanwhile do not bring a deleted key back', async () => {
    const kept = await Kept.open();
    await kept.append('a=1');
    await kept.append('a');
    await kept.append('b=1');
    const store = kept.connect();
    const late = deferred();
    store.failNextRead({}, { until: late.promise });
    const compacting = kept.keeper(store).compact(0, () => 0);
    await kept.append('c=1');
    late.resolve();
    await compacting;
    await kept.append('d=1', 'e=1', 'f=1');
    for (const now of [1, 2, 3]) await kept.keeper().compact(0, () => now);
    expect(await kept.read()).toEqual(['2:b=1', '3:c=1', '4:d=1', '5:e=1', '6:f=1']);
  });

  test('goes on over lost rows, and leaves the gap where it is', async () => {
    const kept = await Kept.open();
    for (const text of ['a=1', 'b=1', 'c=1', 'a=2', 'b=2']) await kept.append(text);
    const { store } = kept;
    await kept.log.store.update([{ store, key: 2 }], (_, write) => write.delete(store, 2));
    await kept.keeper().compact(DAY_MS, () => 0);
    const reader = kept.log.broker();
    const past = await reader.fetch(kept.topic, { offset: 3 });
    expect(recordsOf(past).map(({ offset }) => offset)).toEqual([3, 4]);
    const lost = { code: 'LOG_CORRUPT', details: { partition: 0, from: 2, to: 3 } };
    expect(await reader.fetch(kept.topic, { offset: 2 })).toMatchObject({ error: lost });
    const before = found(await reader.fetch(kept.topic, { offset: 0 }));
    expect([recordsOf(before), before.nextOffset]).toEqual([[], 2]);
  });

  test('a large partition that grows all the time is compacted all the same', async () => {
    const kept = await Kept.open();
    const long = 'x'.repeat(500_000);
    for (let i = 0; i < 20; i++) await kept.append(`k${i % 2}=${long}`);
    const store = kept.connect();
    // Seven reads tell the last record of each key; then somebody appends.
    const growing = deferred();
    store.failNextRead(...Array.from({ length: 7 }, () => ({})), { until: growing.promise });
    const compacting = kept.keeper(store).compact(DAY_MS, () => 0);
    while (store.segmentReads < 7) await idle();
    await kept.append('z=1');
    growing.resolve();
    await compacting;
    const offsets = (await kept.read()).map((text) => Number.parseInt(text, 10));
    expect(offsets).toEqual([18, 19, 20]);
  });
});

test('many small rows become one, and nobody sees it', async () => {
  const kept = await Kept.open();
  await kept.fill(256);
  const before = await kept.read();
  await kept.keeper().merge();
  expect(await kept.read()).toEqual(before);
  expect((await kept.head()).segments).toBe(1);
});

test('of rows that are damaged nothing is written again', async () => {
  const kept = await Kept.open();
  await kept.fill(300);
  const { store } = kept;
  const [read] = await kept.log.store.readSegments([{ store, from: 100, maxBytes: 1 }]);
  const { baseOffset: at, bytes } = read!.segments[0]!;
  new Uint8Array(bytes)[70]! ^= 1;
  const ref: RowRef<unknown> = { store, key: at };
  await kept.log.store.update([ref], (_, write) => write.put(store, at, bytes));
  const before = await kept.head();
  expect(await errorOf(kept.keeper().merge())).toMatchObject({ code: 'BATCH_CORRUPT' });
  expect(await errorOf(kept.keeper().compact(0, () => 0))).toMatchObject({ code: 'BATCH_CORRUPT' });
  expect(await kept.head()).toEqual(before);
});

describe('moveStart', () => {
  test('never moves back, and not beyond the end', async () => {
    const kept = await Kept.open();
    await kept.append('a=1', 'b=1', 'c=1');
    expect(await kept.keeper().moveStart(2)).toBe(2);
    expect(await kept.keeper().moveStart(1)).toBe(2);
    expect(await errorOf(kept.keeper().moveStart(4))).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 0, offset: 4, startOffset: 2, endOffset: 3 },
    });
    expect(await kept.read()).toEqual(['2:c=1']);
  });

  test('the row around the start stays, and goes when the start leaves it', async () => {
    const kept = await Kept.open();
    await kept.append('a=1', 'b=1');
    await kept.append('c=1');
    await kept.keeper().moveStart(1);
    await kept.keeper().sweep();
    expect(await kept.head()).toMatchObject({ rowsFrom: 0, segments: 2 });
    await kept.keeper().moveStart(3);
    await kept.keeper().sweep();
    expect(await kept.head()).toMatchObject({ rowsFrom: 3, segments: 0, bytes: 0 });
  });
});

test('records before the start are out of range, also where a broker has them in memory', async () => {
  const kept = await Kept.open();
  const { broker, topic, log } = kept;
  const other = log.broker();
  await other.produce(topic, batchOf([recordOf({ key: 'a' })]).buffer);
  await kept.append('a=1', 'a=2', 'a=3');
  for (const each of [broker, other]) found(await each.fetch(topic, { offset: 1 }));
  await other.produce(topic, batchOf([recordOf({ key: 'a' })]).buffer);
  await broker.broker.deleteRecords([{ topicId: topic.id, partition: 0, before: 5 }]);
  expect(await broker.fetch(topic, { offset: 1 })).toMatchObject({
    error: { code: 'OFFSET_OUT_OF_RANGE' },
  });
  for (;;) {
    const fetched = await other.fetch(topic, { offset: 4 });
    if (fetched !== undefined && 'error' in fetched) {
      expect(fetched.error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
      break;
    }
    await idle(); // until the hint has come
  }
});

/** What each kind of work has to be done with. */
async function forWork(work: Work): Promise<Kept> {
  const kept = await Kept.open();
  await kept.fill(work === 'merge' ? 300 : 40);
  if (work === 'sweep') await kept.keeper().moveStart(20);
  return kept;
}

function run(work: Work, keeper: PartitionCleaner): Promise<unknown> {
  if (work === 'compact') return keeper.compact(DAY_MS, () => 0);
  if (work === 'fit') return keeper.fit(1_000, 20);
  return keeper[work]();
}

/** What is left for good: the head without what differs by how often something was tried. */
async function resultOf(kept: Kept): Promise<unknown> {
  const { startOffset, endOffset, segments, bytes } = await kept.head();
  return { startOffset, endOffset, segments, bytes, records: await kept.read() };
}

const broken = new TablogError(STORAGE_UNAVAILABLE, 'the disk is out of order');
const closed = new TablogError(CLOSED, 'the browser closed the database');

const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  ['fails', { error: broken }],
  ['is stored and fails', { error: broken, stored: true }],
  ['finds the store closed', { error: closed, closes: closed }],
  ['is stored and finds the store closed', { error: closed, stored: true, closes: closed }],
];

describe.each<Work>(['compact', 'merge', 'sweep', 'fit'])('%s', (work) => {
  test.each(FAULTS)('completes later where any step of it %s', async (_, fault) => {
    const whole = await forWork(work);
    const before = await whole.read();
    await run(work, whole.keeper());
    const expected = await resultOf(whole);
    expect((await whole.head()).rewrites).toBeGreaterThan(0);
    let failures = 0;
    for (const kind of ['failNext', 'failNextRead'] as const) {
      for (let nth = 0; ; nth++) {
        const kept = await forWork(work);
        const store = kept.connect();
        store[kind](...Array.from({ length: nth }, () => ({})), fault);
        const isDone = await run(work, kept.keeper(store)).then(
          () => true,
          () => false,
        );
        if (isDone) break;
        failures++;
        // Records that were to go may be gone, and no other.
        const left = await kept.read();
        expect(before.filter((text) => left.includes(text))).toEqual(left);
        await run(work, kept.keeper());
        expect(await resultOf(kept)).toEqual(expected);
      }
    }
    expect(failures).toBeGreaterThanOrEqual(3);
  });

  test('two at once do what one does', async () => {
    const alone = await forWork(work);
    await run(work, alone.keeper());
    const kept = await forWork(work);
    await Promise.all([run(work, kept.keeper()), run(work, kept.keeper())]);
    await run(work, kept.keeper());
    expect(await resultOf(kept)).toEqual(await resultOf(alone));
  });

  test('a rewrite by another between the read and the write makes it void', async () => {
    const kept = await forWork(work);
    const store = kept.connect();
    const other = deferred();
    store.failNext({ until: other.promise });
    const slow = run(work, kept.keeper(store));
    await run(work, kept.keeper());
    const { rewrites } = await kept.head();
    const before = await resultOf(kept);
    other.resolve();
    await slow;
    expect((await kept.head()).rewrites).toBe(rewrites);
    expect(await resultOf(kept)).toEqual(before);
  });
});

test('a topic that was deleted meanwhile is left alone', async () => {
  const kept = await Kept.open();
  await kept.append('a=1');
  await kept.broker.broker.deleteTopics(['orders']);
  await kept.broker.create('others');
  const keeper = kept.keeper();
  for (const work of [keeper.moveStart(1), keeper.sweep(), keeper.merge(), keeper.fit(1, 1)]) {
    expect(await errorOf(work)).toMatchObject({ code: 'UNKNOWN_TOPIC' });
  }
  expect(await errorOf(keeper.compact(0, () => 0))).toMatchObject({ code: 'UNKNOWN_TOPIC' });
});
