import fc from 'fast-check';
import { expect } from 'vitest';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { LocatedPartition, PartitionHead } from '../../../src/log/head.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { inflateRecords } from '../../../src/log/validate.ts';
import type { FetchedPartition } from '../../../src/protocol/fetch.ts';
import { fromErrorData } from '../../../src/protocol/error-data.ts';
import { MAX_INFLATED_BYTES } from '../../../src/record/batch-format.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { RecordCursor } from '../../../src/record/record-cursor.ts';
import { readUtf8 } from '../../../src/record/utf8.ts';
import { TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef, Store } from '../../../src/store/store.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { checkRows } from '../check-rows.ts';
import { turns } from './partition-steps.ts';
import type { Entry, Step } from './partition-steps.ts';

/** More than `MANY_ROWS` of them, so that merging is worth it. */
const MANY = 300;

/** Where the log of one run is. */
export interface LogPlace {
  readonly name: string;
  /** One more connection, which can be closed without the others. */
  readonly open: () => Promise<Store>;
  /** Called when all connections are closed and the log is needed no more. */
  readonly remove: () => Promise<void>;
}

/** A record as it was fetched. */
interface Fetched {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
}

/**
 * A partition is what a plain array says, whatever is done to it, and by how many. `newPlace` is
 * called for each run.
 */
export function partitionModel(
  newPlace: () => LogPlace,
): fc.IAsyncProperty<[all: Step[][], deleteRetentionMs: number]> {
  return fc.asyncProperty(turns, fc.constantFrom(0, 1_000), async (all, deleteRetentionMs) => {
    const place = newPlace();
    const checked = new Checked(place, deleteRetentionMs);
    try {
      await checked.create();
      for (const steps of all) await checked.take(steps);
      await checked.checkReads();
    } finally {
      await checked.close();
      await place.remove();
    }
  });
}

/** A broker with a connection of its own. */
class Connected {
  readonly broker: LogBroker;
  readonly store: Promise<Store>;
  #fetches = 0;

  constructor({ name, open }: LogPlace) {
    const store = open();
    this.store = store;
    // With a clock that stands still the janitor leaves the partition to the steps.
    this.broker = new LogBroker({ name, openStore: () => store, clock: new ManualClock() });
  }

  /** What there is from `offset` on; `undefined`: nothing yet. */
  async fetch(
    { topicId, partition }: LocatedPartition,
    offset: number,
    maxBytes: number,
  ): Promise<FetchedPartition | undefined> {
    const fetchId = ++this.#fetches;
    const partitions = [{ topicId, partition, offset, maxBytes }];
    return (await this.broker.fetch({ clientId: 'client', fetchId, maxWaitMs: 0, partitions }))[0];
  }

  async close(): Promise<void> {
    this.broker.close();
    (await this.store).close();
  }
}

/** A partition in two brokers, and what must be in it. */
class Checked {
  readonly #place: LogPlace;
  readonly #deleteRetentionMs: number;
  #brokers: Connected[];
  /** Brokers that others have replaced in this turn, some of whose steps may be using them. */
  readonly #replaced: Connected[] = [];
  #kept: LocatedPartition | undefined;
  /** Every record that was ever appended, at its offset. */
  readonly #model: Entry[] = [];
  /** What was fetched in this turn, perhaps before the append of it was answered. */
  readonly #fetched: (readonly Fetched[])[] = [];
  readonly #passes: { readonly to: number; readonly at: number }[] = [];
  #start = 0;
  #now = 0;
  /** Tombstones before it have served. */
  #served = 0;

  constructor(place: LogPlace, deleteRetentionMs: number) {
    this.#place = place;
    this.#deleteRetentionMs = deleteRetentionMs;
    this.#brokers = [new Connected(place), new Connected(place)];
  }

  async create(): Promise<void> {
    const [{ broker, store }] = this.#brokers as [Connected, Connected];
    const spec = { name: 'orders', partitions: 1, config: { cleanup: 'compact' as const } };
    const [topic] = await broker.createTopics([spec]);
    const ref: RowRef<TopicRow> = { store: TOPICS, key: 'orders' };
    const [row] = await (await store).read([ref]);
    this.#kept = { topicId: topic!.id, partition: 0, store: partitionStore(row!.stores[0]!) };
  }

  async take(steps: readonly Step[]): Promise<void> {
    const compactions = steps.filter((each) => each.do === 'compact');
    for (const { afterMs } of compactions) this.#now += afterMs;
    for (const { to, at: passed } of this.#passes) {
      const isServed = compactions.length > 0 && passed + this.#deleteRetentionMs <= this.#now;
      if (isServed) this.#served = Math.max(this.#served, to);
    }
    await Promise.all(steps.map((each) => this.#take(each)));
    for (const records of this.#fetched.splice(0)) this.#checkSome(records);
    await closeAll(this.#replaced.splice(0));
    if (steps.some((each) => each.do === 'reopenAll')) await this.#reopenAll();
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
    await this.#reopenAll();
    this.#checkAll(await this.#read(this.#brokers[0]!, this.#start));
  }

  async close(): Promise<void> {
    await closeAll([...this.#replaced, ...this.#brokers]);
  }

  async #take(each: Step): Promise<void> {
    const by = this.#brokers[each.broker]!;
    switch (each.do) {
      case 'append':
        return this.#append(
          by,
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
          await this.#append(by, [{ key, value: long }], false);
        }
        return;
      case 'fetch':
        return this.#fetch(by, Math.round(each.at * this.#model.length));
      case 'deleteRecords': {
        const before = Math.round(each.at * this.#model.length);
        const request = [{ topicId: this.#kept!.topicId, partition: 0, before }];
        const [start] = await by.broker.deleteRecords(request);
        expect(start).toBeGreaterThanOrEqual(before);
        this.#start = Math.max(this.#start, before);
        return;
      }
      case 'fit': {
        const keeper = await this.#keeper(by);
        const { bytes } = await keeper.head();
        const maxBytes = Math.round(each.at * bytes);
        await keeper.fit(maxBytes, Infinity);
        return;
      }
      case 'compact':
        await (await this.#keeper(by)).compact(this.#deleteRetentionMs, () => this.#now);
        return;
      case 'merge':
        return (await this.#keeper(by)).merge();
      case 'sweep':
        return (await this.#keeper(by)).sweep();
      case 'reopen':
        this.#replaced.push(by);
        this.#brokers[each.broker] = new Connected(this.#place);
        return;
      case 'reopenAll':
        return;
    }
  }

  async #append(by: Connected, added: readonly Entry[], gzip: boolean): Promise<void> {
    const { buffer } = batchOf(added.map((parts) => recordOf(parts)));
    const compression = gzip ? ('gzip' as const) : ('none' as const);
    const append = { topicId: this.#kept!.topicId, partition: 0, batch: buffer, compression };
    const request = { appends: [append], durability: 'relaxed' as const };
    const result = (await by.broker.produce(request))[0]!;
    if ('error' in result) throw fromErrorData(result.error);
    added.forEach((each, i) => (this.#model[result.baseOffset + i] = each));
  }

  async #keeper({ store }: Connected): Promise<PartitionCleaner> {
    return new PartitionCleaner(await store, this.#kept!);
  }

  async #reopenAll(): Promise<void> {
    await closeAll(this.#brokers);
    this.#brokers = [new Connected(this.#place), new Connected(this.#place)];
  }

  /** What was deleted meanwhile may still come from a broker's memory, but nothing wrong. */
  async #fetch(by: Connected, from: number): Promise<void> {
    const fetched = await by.fetch(this.#kept!, from, 1024 * 1024);
    if (fetched === undefined) return;
    if ('error' in fetched) expect(fetched.error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    else this.#fetched.push(recordsOf(fetched.segments));
  }

  async #read(by: Connected, start: number): Promise<Fetched[]> {
    const records: Fetched[] = [];
    for (let offset = start; ;) {
      const fetched = await by.fetch(this.#kept!, offset, 100_000);
      if (fetched === undefined) return records;
      if ('error' in fetched) throw fromErrorData(fetched.error);
      expect(fetched.nextOffset).toBeGreaterThan(offset);
      records.push(...recordsOf(fetched.segments).filter((record) => record.offset >= offset));
      offset = fetched.nextOffset;
    }
  }

  /** Each is what was appended there, and they ascend. */
  #checkSome(records: readonly Fetched[]): void {
    let last = -1;
    for (const { offset, key, value } of records) {
      if (offset <= last) expect.fail(`offset ${offset} comes after ${last}`);
      last = offset;
      const appended = this.#model[offset]!;
      if (key !== appended.key || value !== appended.value) {
        expect.fail(`at offset ${offset} is ${key}: ${value}`);
      }
    }
  }

  #checkAll(records: readonly Fetched[]): void {
    this.#checkSome(records);
    const kept = this.#model.map((each, offset) => ({ ...each, offset })).slice(this.#start);
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
    const request = { store: this.#kept!.store, from: 0, maxBytes: Infinity };
    const [read] = await (await this.#brokers[0]!.store).readSegments([request]);
    const head = read!.head as PartitionHead;
    checkRows(head, read!.segments);
    return head;
  }
}

async function closeAll(brokers: readonly Connected[]): Promise<void> {
  await Promise.all(brokers.map((each) => each.close()));
}

function recordsOf(segments: readonly ArrayBuffer[]): Fetched[] {
  const records: Fetched[] = [];
  for (const batch of segments.flatMap((bytes) => [...readBatches(new Uint8Array(bytes))])) {
    const cursor = new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
    const text = (from: number, length: number): string | null =>
      length < 0 ? null : readUtf8(cursor.bytes.subarray(from, from + length));
    while (cursor.next()) {
      const key = text(cursor.keyAt, cursor.keyLength);
      const value = text(cursor.valueAt, cursor.valueLength);
      records.push({ offset: cursor.offset, key, value });
    }
  }
  return records;
}

/** What replaying gives. */
function stateOf(records: readonly Pick<Fetched, 'key' | 'value'>[]): Map<string | null, string> {
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
