import { describe, expect, test } from 'vitest';
import { WORKER_LOST } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { topic } from '../../../src/index.ts';
import { FIELD, viewOf } from '../../../src/record/batch-format.ts';
import { sealBatch } from '../../../src/record/batch-seal.ts';
import {
  GROUPS,
  HEAD_KEY,
  OFFSETS,
  PRODUCERS,
  TOPICS,
  logRef,
  partitionStore,
  topicsVersionRef,
} from '../../../src/store/schema.ts';
import type { PartitionHead } from '../../../src/log/head.ts';
import type { Key, RowRef } from '../../../src/store/store.ts';
import { World } from '../../support/world.ts';
import type { Tab } from '../../support/world.ts';

// The first topic takes the first partition store.
const STORE = partitionStore(0);

/** A log with ten rows of one record of 1 KiB each in `orders`, and one record in `other`. */
async function openLog(): Promise<{ world: World; tab: Tab }> {
  const world = new World();
  const tab = await world.openTab({}, 'orders', 'other');
  const producer = tab.log.producer({ lingerMs: 0 });
  for (let i = 0; i < 10; i++) await producer.send('orders', { value: 'v'.repeat(1024) });
  await producer.send('other', { value: 'v' });
  return { world, tab };
}

/** Changes a row underneath the broker, as a browser that damages data would. */
function change<T>({ store }: World, ref: RowRef<T>, changed: (row: T) => unknown): Promise<void> {
  return store.update([ref], ([row], write) => {
    const after = changed(row as T);
    if (after === undefined) write.delete(ref.store, ref.key);
    else write.put(ref.store, ref.key, after);
  });
}

const headRow: RowRef<PartitionHead> = { store: STORE, key: HEAD_KEY };

/** The row with another value in a field that the CRC covers, and a CRC that fits again. */
function resealed(bytes: ArrayBuffer, at: number, value: number): ArrayBuffer {
  viewOf(new Uint8Array(bytes)).setInt32(at, value);
  sealBatch(new Uint8Array(bytes));
  return bytes;
}

function flipped(bytes: ArrayBuffer, at: number): ArrayBuffer {
  new Uint8Array(bytes)[at]! ^= 0xff;
  return bytes;
}

const LOST = 'LOG_CORRUPT';
const DAMAGED = 'BATCH_CORRUPT';

describe('a log without a fault', () => {
  test('is reported by partition, with what it has', async () => {
    const { tab } = await openLog();
    const { partitions, faults } = await tab.log.admin.scrub();
    expect(faults).toEqual([]);
    const [{ partitions: described }] = await tab.log.admin.describeTopics(['orders']);
    expect(partitions).toEqual([
      { topic: 'orders', partition: 0, batches: 10, records: 10, bytes: described[0]!.bytes },
      { topic: 'other', partition: 0, batches: 1, records: 1, bytes: expect.any(Number) },
    ]);
  });

  test('is checked in the named topics alone', async () => {
    const { tab } = await openLog();
    const { partitions } = await tab.log.admin.scrub({ topics: [topic('other')] });
    expect(partitions.map((each) => each.topic)).toEqual(['other']);
    await expect(tab.log.admin.scrub({ topics: ['none'] })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    await expect(tab.log.admin.scrub({ topics: ['a', 'a'] })).rejects.toThrow(TypeError);
    await expect(tab.log.admin.scrub({ topics: 'a' as never })).rejects.toThrow(TypeError);
  });

  test('may have topics in memory, which are left out', async () => {
    const { log } = await new World().openTab();
    await log.admin.createTopics([topic('m', { storage: 'memory' })]);
    await log.producer().send('m', { value: 'v' });
    expect(await log.admin.scrub()).toEqual({ partitions: [], faults: [] });
  });

  test('may have compressed batches, deleted records, and partitions without a record', async () => {
    const { tab } = await openLog();
    await tab.log.admin.createTopics([topic('empty', { partitions: 2 })]);
    const value = 'v'.repeat(4096);
    for (const compression of ['gzip', 'snappy', 'lz4'] as const) {
      await tab.log.producer({ compression }).send('other', { value });
    }
    await tab.log.admin.deleteRecords([{ topic: 'orders', partition: 0, before: 3 }]);
    const { partitions, faults } = await tab.log.admin.scrub();
    expect(faults).toEqual([]);
    expect(partitions).toContainEqual({
      topic: 'empty',
      partition: 1,
      batches: 0,
      records: 0,
      bytes: 0,
    });
    expect(partitions.find((each) => each.topic === 'other')).toMatchObject({ batches: 4 });
  });
});

describe('a fault of a partition has its place', () => {
  test.each<[string, Key, (bytes: ArrayBuffer) => unknown, object[]]>([
    ['a row that is gone', 4, () => undefined, [{ from: 4, to: 5, code: LOST }]],
    ['the first row gone', 0, () => undefined, [{ from: 0, to: 1, code: LOST }]],
    ['the last row gone', 9, () => undefined, [{ from: 9, to: 10, code: LOST }]],
    ['a record', 4, (b) => flipped(b, FIELD.records + 9), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a magic', 4, (b) => flipped(b, FIELD.magic), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a base offset', 4, (b) => flipped(b, 7), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a length', 4, (b) => flipped(b, FIELD.batchLength), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a row cut short', 4, (b) => b.slice(0, 80), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a row with more behind', 4, longer, [{ from: 5, to: 5, code: DAMAGED }]],
    ['an empty row', 4, () => new ArrayBuffer(0), [{ from: 4, to: 5, code: DAMAGED }]],
    ['a row that is no buffer', 4, () => 'garbage', [{ from: 4, to: 5, code: DAMAGED }]],
    [
      'more offsets than the row has, under a CRC that fits',
      4,
      (b) => resealed(b, FIELD.lastOffsetDelta, 3),
      [{ from: 5, to: 8, code: DAMAGED }],
    ],
    [
      'fewer records than are counted, under a CRC that fits',
      4,
      (b) => resealed(resealed(b, FIELD.lastOffsetDelta, 0), FIELD.recordCount, 0),
      [{ from: 4, to: 5, code: DAMAGED }],
    ],
    ['a row within another', 4.5, () => new ArrayBuffer(0), [{ code: DAMAGED }, { from: 4.5 }]],
    ['a row beyond the end', 12, () => new ArrayBuffer(70), [{ from: 12, to: 12, code: LOST }]],
  ])('%s', async (_, key, changed, expected) => {
    const { world, tab } = await openLog();
    await change(world, { store: STORE, key }, changed);
    const { partitions, faults } = await tab.log.admin.scrub();
    expect(faults).toMatchObject(
      expected.map((fault) => ({ topic: 'orders', partition: 0, ...fault })),
    );
    expect(faults.every(({ message, code }) => message.startsWith(`${code}: `))).toBe(true);
    expect(partitions).toMatchObject([{ batches: expect.any(Number) }, { records: 1 }]);
  });
});

function longer(bytes: ArrayBuffer): ArrayBuffer {
  const more = new Uint8Array(bytes.byteLength + 5);
  more.set(new Uint8Array(bytes));
  return more.buffer;
}

describe('a fault of a head', () => {
  const lostHead = { from: null, to: null, code: LOST, message: expect.stringContaining('head') };

  test.each<[string, (head: PartitionHead) => unknown, object]>([
    ['that is gone', () => undefined, lostHead],
    ['that is no head', () => 7, lostHead],
    ['of an earlier time', (head) => ({ ...head, endOffset: 8 }), { from: 8, to: 9, code: LOST }],
    ['of a later time', (head) => ({ ...head, endOffset: 12 }), { from: 10, to: 12, code: LOST }],
    ['with other bytes', (head) => ({ ...head, bytes: 1 }), { from: null, code: LOST }],
    ['with another count of rows', (head) => ({ ...head, segments: 9 }), { from: null }],
    ['with a first row that is later', (head) => ({ ...head, rowsFrom: 2 }), { from: 0, to: 2 }],
    [
      'without its times',
      (head) => ({ ...head, timeIndex: { ...head.timeIndex, entries: new Float64Array() } }),
      { from: 0, to: 10, message: expect.stringContaining('time index') },
    ],
    [
      'with other producers',
      (head) => ({ ...head, producers: head.producers.map((each) => each + 0.5) }),
      { from: null, message: expect.stringContaining('producers') },
    ],
  ])('%s', async (_, changed, expected) => {
    const { world, tab } = await openLog();
    await change(world, headRow, changed);
    const { partitions, faults } = await tab.log.admin.scrub();
    const place = { topic: 'orders', partition: 0 };
    expect(faults).toContainEqual(expect.objectContaining({ ...place, ...expected }));
    expect(partitions[1]).toMatchObject({ topic: 'other', records: 1 });
  });
});

test('neighbours with the same fault are one', async () => {
  const { world, tab } = await openLog();
  const producer = tab.log.producer({ lingerMs: 0 });
  for (let i = 0; i < 90; i++) await producer.send('orders', { value: 'v' });
  for (let key = 20; key < 80; key++) {
    await change<ArrayBuffer>(world, { store: STORE, key }, (row) => flipped(row, FIELD.records));
  }
  await change(world, { store: STORE, key: 31.5 }, () => 7); // where the next read begins
  const { faults } = await tab.log.admin.scrub();
  expect(faults.map(({ from, to }) => [from, to])).toEqual([
    [20, 31.5],
    [31.5, 32],
    [32, 80],
  ]);
});

test('rows that are of no partition are checked, too', async () => {
  const { world, tab } = await openLog();
  for (const store of [TOPICS, GROUPS, PRODUCERS]) {
    await change(world, { store, key: 'bad' }, () => 7);
  }
  await change(world, { store: OFFSETS, key: ['bad'] }, () => null);
  await change(world, topicsVersionRef, () => undefined);
  await change(world, logRef, (log) => ({ ...log, logId: 7 }));
  const { faults, partitions } = await tab.log.admin.scrub();
  const none = { topic: null, partition: null, from: null, to: null, code: LOST };
  const stores = [`'log'`, `'pool'`, TOPICS, GROUPS, OFFSETS, PRODUCERS];
  expect(faults).toEqual(
    stores.map((store) => ({ ...none, message: expect.stringContaining(store) })),
  );
  expect(partitions).toHaveLength(2);
});

describe('while it is checked', () => {
  /** Runs `work` before each read of rows. */
  function between({ host }: Tab, work: (reads: number) => Promise<unknown>): void {
    let reads = 0;
    host.answer('scrubPartition', async (request, real) => {
      await work(reads++);
      return real(request);
    });
  }

  test('a log that is written, trimmed, compacted and merged has no fault', async () => {
    const world = new World();
    const tab = await world.openTab(
      {},
      topic('t', { cleanup: 'compact,delete', retention: { bytes: 400_000 } }),
    );
    const { log } = tab;
    const producer = log.producer({ lingerMs: 0 });
    const send = (i: number): Promise<unknown> =>
      producer.send('t', { key: `k${i % 300}`, value: `${i}`.padEnd(1024, 'x') });
    for (let i = 0; i < 250; i++) await send(i);
    const kinds = new Set<string>();
    let before = await headOf(world);
    between(tab, async (reads) => {
      for (let i = 0; i < 60; i++) await send(250 + reads * 60 + i);
      if (reads % 3 === 1) {
        const kept = before.startOffset + 20;
        await log.admin.deleteRecords([{ topic: 't', partition: 0, before: kept }]);
      }
      if (reads % 2 === 0) await world.pass(10_000); // the cleaner makes a round
      const head = await headOf(world);
      if (head.rewrites > before.rewrites) kinds.add('rewritten');
      if (head.startOffset > before.startOffset) kinds.add('trimmed');
      if (head.compaction.cleaned.length > 0) kinds.add('compacted');
      before = head;
    });
    const { faults, partitions } = await log.admin.scrub();
    expect(faults).toEqual([]);
    expect(partitions[0]!.records).toBeGreaterThan(100);
    expect([...kinds].sort()).toEqual(['compacted', 'rewritten', 'trimmed']);
  });

  test('a topic that is deleted is left out', async () => {
    const { tab } = await openLog();
    between(tab, (reads) =>
      reads === 0 ? tab.log.admin.deleteTopics(['orders']) : Promise.resolve(),
    );
    const { faults, partitions } = await tab.log.admin.scrub();
    expect(faults).toEqual([]);
    expect(partitions.map((each) => each.topic)).toEqual(['other']);
  });

  test('a signal ends it', async () => {
    const { tab } = await openLog();
    const { host, log } = tab;
    const abort = new AbortController();
    between(tab, async () => abort.abort(new Error('enough')));
    await expect(log.admin.scrub({ signal: abort.signal })).rejects.toThrow('enough');
    expect(host.requests('scrubPartition')).toHaveLength(1);
  });

  test('a worker that is lost is followed by the next', async () => {
    const { tab } = await openLog();
    const lost = new TablogError(WORKER_LOST, 'the worker died');
    between(tab, (reads) => (reads === 0 ? Promise.reject(lost) : Promise.resolve()));
    expect((await tab.log.admin.scrub()).partitions).toHaveLength(2);
  });

  test('each read is of few rows', async () => {
    const { tab } = await openLog();
    const producer = tab.log.producer({ lingerMs: 0 });
    for (let i = 0; i < 100; i++) await producer.send('other', { value: 'v' });
    const { partitions } = await tab.log.admin.scrub();
    expect(partitions[1]).toMatchObject({ records: 101 });
    const reads = tab.host.requests('scrubPartition').filter(({ cursor }) => cursor !== null);
    expect(reads.map(({ cursor }) => cursor!.offset)).toEqual([32, 64, 96]);
  });
});

async function headOf({ store }: World): Promise<PartitionHead> {
  const [head] = await store.read([headRow]);
  return head!;
}
