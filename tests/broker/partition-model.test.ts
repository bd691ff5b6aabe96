import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PartitionKeeper } from '../../src/broker/partition-keeper.ts';
import type { TopicRow } from '../../src/broker/topic-catalog.ts';
import type { PartitionHead } from '../../src/log/head.ts';
import type { TopicInfo } from '../../src/protocol/broker.ts';
import { readBatches } from '../../src/record/batch-reader.ts';
import { crcMatches } from '../../src/record/batch-seal.ts';
import { TOPICS, partitionStore } from '../../src/store/schema.ts';
import type { RowRef, StoredSegment } from '../../src/store/store.ts';
import { baseOffset, found, openTestLog, recordsOf } from '../support/broker-fixture.ts';
import type { TestBroker, TestLog } from '../support/broker-fixture.ts';
import { batchOf, hexOf, recordOf } from '../support/batches.ts';
import type { PlainRecord } from '../support/batches.ts';

/** `TABLOG_RUNS=2000 npm test -- --project unit tests/broker/partition-model` for more. */
const RUNS = Number(process.env['TABLOG_RUNS'] ?? 200);

interface Entry {
  readonly key: string;
  readonly value: string | null;
}

type Step = { readonly broker: number } & (
  | { readonly do: 'append'; readonly entries: readonly Entry[]; readonly gzip: boolean }
  | { readonly do: 'appendMany'; readonly entries: readonly Entry[]; readonly large: boolean }
  | { readonly do: 'fetch' | 'deleteRecords' | 'fit'; readonly at: number }
  | { readonly do: 'compact'; readonly afterMs: number }
  | { readonly do: 'merge' | 'sweep' | 'reopen' }
);

/** More than `MANY_ROWS` of them, so that merging is worth it. */
const MANY = 300;

const broker = fc.nat(1);
const entry = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.option(fc.string({ maxLength: 8 }), { freq: 3 }),
});
const entries = fc.array(entry, { minLength: 1, maxLength: 6 });
/** Where in the partition, from 0 to 1. */
const at = fc.nat(100).map((percent) => percent / 100);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      broker,
      entries,
      gzip: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('appendMany' as const),
      broker,
      entries,
      large: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('fetch' as const), broker, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deleteRecords' as const), broker, at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fit' as const), broker, at }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('compact' as const),
      broker,
      afterMs: fc.constantFrom(0, 400, 1_000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('merge' as const, 'sweep' as const, 'reopen' as const),
      broker,
    }),
  },
);

/** Steps that are taken at the same moment. */
const turn = fc.array(step, { minLength: 1, maxLength: 3 });
const turns = fc.array(turn, { minLength: 1, maxLength: 20 });

/** A partition in two brokers, and what must be in it. */
class Checked {
  readonly #log: TestLog;
  readonly #topic: TopicInfo;
  readonly #store: string;
  readonly #keepers: readonly PartitionKeeper[];
  readonly #brokers: TestBroker[];
  readonly #opened: TestBroker[];
  readonly #deleteRetentionMs: number;
  /** Every record that was ever appended, at its offset. */
  readonly #model: Entry[] = [];
  readonly #passes: { readonly to: number; readonly at: number }[] = [];
  #start = 0;
  #now = 0;
  /** Tombstones before it have served. */
  #served = 0;

  private constructor(
    log: TestLog,
    brokers: TestBroker[],
    topic: TopicInfo,
    store: string,
    deleteRetentionMs: number,
  ) {
    this.#log = log;
    this.#brokers = brokers;
    this.#opened = [...brokers];
    this.#topic = topic;
    this.#store = store;
    this.#deleteRetentionMs = deleteRetentionMs;
    const kept = { topicId: topic.id, partition: 0, store };
    this.#keepers = [new PartitionKeeper(log.store, kept), new PartitionKeeper(log.store, kept)];
  }

  static async open(deleteRetentionMs: number): Promise<Checked> {
    const log = openTestLog();
    const brokers = [log.broker(), log.broker()];
    const topic = await brokers[0]!.create('orders', 1, { cleanup: 'compact' });
    const ref: RowRef<TopicRow> = { store: TOPICS, key: 'orders' };
    const [row] = await log.store.read([ref]);
    return new Checked(log, brokers, topic, partitionStore(row!.stores[0]!), deleteRetentionMs);
  }

  async take(steps: readonly Step[]): Promise<void> {
    const compactions = steps.filter((each) => each.do === 'compact');
    for (const { afterMs } of compactions) this.#now += afterMs;
    for (const { to, at: passed } of this.#passes) {
      const isServed = compactions.length > 0 && passed + this.#deleteRetentionMs <= this.#now;
      if (isServed) this.#served = Math.max(this.#served, to);
    }
    await Promise.all(steps.map((each) => this.#take(each)));
    const end = this.#model.length;
    if (compactions.length > 0) this.#passes.push({ to: end, at: this.#now });
    if (compactions.length > 1 && this.#deleteRetentionMs === 0) this.#served = end;
    const head = await this.#checkRows();
    expect(head.endOffset).toBe(end);
    if (steps.every((each) => each.do !== 'fit')) expect(head.startOffset).toBe(this.#start);
    expect(head.startOffset).toBeGreaterThanOrEqual(this.#start);
    this.#start = head.startOffset;
  }

  async checkReads(): Promise<void> {
    // They may have in memory what compaction has removed from the store.
    for (const each of this.#brokers) this.#checkSome(await this.#read(each, this.#start));
    this.#reopen(0);
    this.#checkAll(await this.#read(this.#brokers[0]!, this.#start));
  }

  close(): void {
    for (const each of this.#opened) each.broker.close();
  }

  async #take(each: Step): Promise<void> {
    const keeper = this.#keepers[each.broker]!;
    switch (each.do) {
      case 'append':
        return this.#append(
          each.broker,
          each.entries.map(({ key, value }) => ({
            key,
            // Long enough to be smaller when it is compressed.
            value: each.gzip && value !== null ? value.padEnd(300, '.') : value,
          })),
          each.gzip,
        );
      case 'appendMany':
        for (let i = 0; i < MANY; i++) {
          const { key, value } = each.entries[i % each.entries.length]!;
          // 300 of 8 KiB are several segments.
          const long = each.large && value !== null ? value.padEnd(8_192, '.') : value;
          await this.#append(each.broker, [{ key, value: long }], false);
        }
        return;
      case 'fetch':
        return this.#fetch(each.broker, Math.round(each.at * this.#model.length));
      case 'deleteRecords': {
        const before = Math.round(each.at * this.#model.length);
        const request = { topicId: this.#topic.id, partitions: [{ partition: 0, before }] };
        const [start] = await this.#brokers[each.broker]!.broker.deleteRecords(request);
        expect(start).toBeGreaterThanOrEqual(before);
        this.#start = Math.max(this.#start, before);
        return;
      }
      case 'fit': {
        const { bytes } = await keeper.head();
        const maxBytes = Math.round(each.at * bytes);
        await keeper.fit(maxBytes, Infinity);
        return;
      }
      case 'compact':
        await keeper.compact(this.#deleteRetentionMs, this.#now);
        return;
      case 'merge':
        return keeper.merge();
      case 'sweep':
        return keeper.sweep();
      case 'reopen':
        return this.#reopen(each.broker);
    }
  }

  async #append(index: number, added: readonly Entry[], gzip: boolean): Promise<void> {
    const { buffer } = batchOf(added.map((parts) => recordOf(parts)));
    const compression = gzip ? 'gzip' : 'none';
    const result = await this.#brokers[index]!.produce(this.#topic, buffer, { compression });
    const base = baseOffset(result);
    added.forEach((each, i) => (this.#model[base + i] = each));
  }

  /** The broker before is closed at the end: another step of this turn may be using it. */
  #reopen(index: number): void {
    const opened = this.#log.broker();
    this.#brokers[index] = opened;
    this.#opened.push(opened);
  }

  /** What was deleted meanwhile may still come from a broker's memory, but nothing wrong. */
  async #fetch(index: number, from: number): Promise<void> {
    const fetched = await this.#brokers[index]!.fetch(this.#topic, { offset: from });
    if (fetched === undefined) return;
    if ('error' in fetched) expect(fetched.error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    else this.#checkSome(recordsOf(fetched));
  }

  async #read(from: TestBroker, start: number): Promise<PlainRecord[]> {
    const records: PlainRecord[] = [];
    for (let offset = start; ;) {
      const fetched = await from.fetch(this.#topic, { offset, maxBytes: 100_000 });
      if (fetched === undefined) return records;
      const { nextOffset } = found(fetched);
      expect(nextOffset).toBeGreaterThan(offset);
      records.push(...recordsOf(fetched).filter((record) => record.offset >= offset));
      offset = nextOffset;
    }
  }

  /** Each is what was appended there, and they ascend. */
  #checkSome(records: readonly PlainRecord[]): void {
    let last = -1;
    for (const { offset, key, value } of records) {
      if (offset <= last) expect.fail(`offset ${offset} comes after ${last}`);
      last = offset;
      const appended = this.#model[offset]!;
      if (key !== hexOf(appended.key) || value !== hexOf(appended.value)) {
        expect.fail(`at offset ${offset} is ${key}: ${value}`);
      }
    }
  }

  #checkAll(records: readonly PlainRecord[]): void {
    this.#checkSome(records);
    const appended = this.#model.map(({ key, value }, offset) => ({
      offset,
      key: hexOf(key),
      value: hexOf(value),
    }));
    const kept = appended.slice(this.#start);
    if (this.#passes.length === 0) {
      expect(records.map(({ offset }) => offset)).toEqual(kept.map(({ offset }) => offset));
    }
    expect(shortOf(stateOf(records))).toEqual(shortOf(stateOf(kept)));
    const offsets = new Set(records.map(({ offset }) => offset));
    for (const { offset, value } of new Map(kept.map((each) => [each.key, each])).values()) {
      const mayBeGone = value === null && offset < this.#served;
      if (!mayBeGone && !offsets.has(offset)) expect.fail(`offset ${offset} is gone`);
    }
  }

  /** The rows tile the partition, hold what was written, and the head counts them right. */
  async #checkRows(): Promise<PartitionHead> {
    const request = { store: this.#store, from: 0, maxBytes: Infinity };
    const [read] = await this.#log.store.readSegments([request]);
    const head = read!.head as PartitionHead;
    const { segments } = read!;
    const unmerged = segments.filter((row) => row.baseOffset >= head.unmerged.from);
    expect({
      bytes: head.bytes,
      segments: head.segments,
      rowsFrom: head.rowsFrom,
      unmerged: head.unmerged,
    }).toEqual({
      bytes: sizeOf(segments),
      segments: segments.length,
      rowsFrom: segments[0]?.baseOffset ?? head.endOffset,
      unmerged: { from: head.unmerged.from, rows: unmerged.length, bytes: sizeOf(unmerged) },
    });
    expect(head.rowsFrom).toBeLessThanOrEqual(head.startOffset);
    let next = head.rowsFrom;
    for (const row of segments) {
      if (row.baseOffset !== next) expect.fail(`a row begins at ${row.baseOffset}, not ${next}`);
      for (const batch of readBatches(new Uint8Array(row.bytes))) {
        if (batch.baseOffset !== next) expect.fail(`a batch is not at ${next}`);
        if (!crcMatches(batch.bytes)) expect.fail(`the CRC of the batch at ${next} is wrong`);
        next = batch.nextOffset;
      }
    }
    expect(next).toBe(head.endOffset);
    return head;
  }
}

function sizeOf(rows: readonly StoredSegment[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}

/** What replaying gives. */
function stateOf(
  records: readonly Pick<PlainRecord, 'key' | 'value'>[],
): Map<string | null, string> {
  const state = new Map<string | null, string>();
  for (const { key, value } of records) {
    if (value === null) state.delete(key);
    else state.set(key, value);
  }
  return state;
}

function shortOf(state: ReadonlyMap<string | null, string>): string[] {
  return [...state].map(([key, value]) => `${key}: ${value.slice(0, 20)}`).sort();
}

test('a partition is what a plain array says, whatever is done to it, and by how many', async () => {
  const property = fc.asyncProperty(
    turns,
    fc.constantFrom(0, 1_000),
    async (all, deleteRetentionMs) => {
      const checked = await Checked.open(deleteRetentionMs);
      try {
        for (const steps of all) await checked.take(steps);
        await checked.checkReads();
      } finally {
        checked.close();
      }
    },
  );
  await fc.assert(property, { numRuns: RUNS });
}, 600_000);
