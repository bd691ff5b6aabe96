import { expect } from 'vitest';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { headRef } from '../../../src/log/head.ts';
import type { PartitionHead } from '../../../src/log/head.ts';
import type { TopicInfo } from '../../../src/protocol/topic.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { RecordCursor } from '../../../src/record/record-cursor.ts';
import { HEAD_KEY, TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef, StoredSegment } from '../../../src/store/store.ts';
import { baseOffset, found } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import type { Bytes } from '../../support/batches.ts';
import type { FaultStore } from '../../support/fault-store.ts';
import { checkRows } from '../check-rows.ts';
import { idle } from '../../support/waiting.ts';
import { World } from '../../support/world.ts';

export interface Entry {
  readonly key: string;
  readonly value: string | null;
}

/** An idempotent producer: it numbers its batches, and sends again what has no answer. */
interface TestProducer {
  readonly id: number;
  sequence: number;
  /** Those that the partition remembers of it. */
  sent: { readonly bytes: Bytes; readonly baseOffset: number }[];
}

const REMEMBERED_BATCHES = 5;

/** Of all partitions: each has its own. */
let producers = 0;

export interface Contents {
  readonly head: PartitionHead;
  readonly rows: readonly StoredSegment[];
}

export interface Checked extends Contents {
  /** From the start offset on. */
  readonly records: readonly KeptRecord[];
}

/** What compaction may have taken: records that a later one of the key replaces, and tombstones. */
export type MayGo = 'nothing' | 'what is replaced' | 'tombstones too';

interface KeptRecord extends Entry {
  readonly offset: number;
}

/** A compacted partition, with a broker to fill it and cleaners to clean it. */
export class CleanedPartition {
  readonly log: World;
  /** Through this one all goes well. */
  readonly broker: TestBroker;
  readonly topic: TopicInfo;
  /** The partition's object store. */
  readonly store: string;

  constructor(log: World, broker: TestBroker, topic: TopicInfo, store: string) {
    this.log = log;
    this.broker = broker;
    this.topic = topic;
    this.store = store;
  }

  static async open<T extends CleanedPartition>(
    this: new (log: World, broker: TestBroker, topic: TopicInfo, store: string) => T,
  ): Promise<T> {
    const log = new World();
    const broker = log.broker();
    const topic = await broker.create('orders', 1, { cleanup: 'compact' });
    const ref: RowRef<TopicRow> = { store: TOPICS, key: 'orders' };
    const [row] = await log.store.read([ref]);
    return new this(log, broker, topic, partitionStore(row!.stores[0]!));
  }

  connect(): FaultStore {
    return this.log.connect();
  }

  keeper(store: FaultStore = this.connect()): PartitionCleaner {
    return new PartitionCleaner(store, {
      topicId: this.topic.id,
      partition: 0,
      store: this.store,
    });
  }
}

/** A partition that several look after at once, and all that was acked of it. */
export class MaintainedPartition extends CleanedPartition {
  /** Each record that was acked, at its offset. */
  readonly #acked: Entry[] = [];
  #producers: readonly TestProducer[] = [1, 2].map(() => ({
    id: ++producers,
    sequence: 0,
    sent: [],
  }));
  #turn = 0;

  /** Another one with the same in it: sooner made than filled. */
  async copy(): Promise<MaintainedPartition> {
    const copy = await MaintainedPartition.open();
    const { head, rows } = await this.contents();
    const { topic, log } = copy;
    const store = copy.store;
    await log.store.update([headRef(store)], (_, write) => {
      for (const { baseOffset: at, bytes } of rows) write.put(store, at, bytes);
      write.put(store, HEAD_KEY, { ...head, topicId: topic.id });
    });
    copy.#acked.push(...this.#acked);
    copy.#producers = this.#producers.map((producer) => ({ ...producer }));
    return copy;
  }

  /** All that was acked there is here now, and nothing else. */
  imported(from: MaintainedPartition): void {
    this.#acked.splice(0, Infinity, ...from.#acked);
  }

  get end(): number {
    return this.#acked.length;
  }

  /** A row each, of two producers in turn, in which few keys come again and again. */
  async fill(rows: number, rowBytes = 0): Promise<void> {
    for (let i = 0; i < rows; i++) {
      await this.append([{ key: `k${i % 7}`, value: `${i}`.padEnd(rowBytes, '.') }]);
    }
  }

  /**
   * Sends a batch through `from`, and once more through `broker` when it fails or there is no answer.
   * What the first answer is, should one come late.
   */
  async append(
    entries: readonly Entry[],
    from: TestBroker = this.broker,
  ): Promise<{ readonly late: Promise<void> }> {
    const producer = this.#producers[this.#turn++ % this.#producers.length]!;
    const { id, sequence, sent } = producer;
    const records = entries.map((entry) => recordOf(entry));
    const bytes = batchOf(records, { producer: { id, epoch: 0, sequence } });
    const first = from.produce(this.topic, bytes.slice().buffer);
    const answer =
      from === this.broker ? await first : await Promise.race([first, idle().then(() => null)]);
    const isAcked = answer !== null && 'baseOffset' in answer;
    const base = isAcked ? answer.baseOffset : await this.#send(bytes);
    // The next offset: it was stored nowhere before, and is there once.
    expect(base).toBe(this.end);
    this.#acked.push(...entries);
    producer.sequence += entries.length;
    producer.sent = [...sent, { bytes, baseOffset: base }].slice(-REMEMBERED_BATCHES);
    const late = first.then((result) => {
      if ('baseOffset' in result) expect(result.baseOffset).toBe(base);
    });
    return { late };
  }

  /** What producers sent last is known, and stored nowhere else, should it come again. */
  async sendAgain(): Promise<void> {
    for (const { sent } of this.#producers) {
      for (const { bytes, baseOffset: base } of sent) expect(await this.#send(bytes)).toBe(base);
    }
    expect((await this.contents()).head.endOffset).toBe(this.end);
  }

  async contents(): Promise<Contents> {
    const request = { store: this.store, from: 0, maxBytes: Infinity };
    const [read] = await this.log.store.readSegments([request]);
    return { head: read!.head as PartitionHead, rows: read!.segments };
  }

  /**
   * Whatever was done or begun: each record that was acked is there at its offset, unless it `mayGo`;
   * nothing else is; and the head is right about the rows.
   */
  async check(mayGo: MayGo = 'nothing'): Promise<Checked> {
    const { head, rows } = await this.contents();
    checkRows(head, rows);
    expect(head.endOffset).toBe(this.end);
    const records = recordsIn(rows).filter(({ offset }) => offset >= head.startOffset);
    const left = new Map(records.map((record) => [record.offset, record]));
    if (left.size !== records.length) expect.fail('an offset is there twice');
    const later = new Set<string>();
    const deleted = new Set<string>();
    for (let offset = this.end - 1; offset >= head.startOffset; offset--) {
      const { key, value } = this.#acked[offset]!;
      const record = left.get(offset);
      if (record === undefined) {
        const isReplaced = mayGo !== 'nothing' && later.has(key);
        const isTombstone = mayGo === 'tombstones too' && value === null;
        if (!isReplaced && !isTombstone) expect.fail(`offset ${offset} is gone`);
        if (!isReplaced) deleted.add(key);
      } else if (deleted.has(key)) {
        expect.fail(`${key} was deleted, and is back at offset ${offset}`);
      } else if (record.key !== key || record.value !== value) {
        expect.fail(`at offset ${offset} is ${record.key}: ${record.value?.slice(0, 20)}`);
      }
      later.add(key);
    }
    const cleanTo = Math.max(0, ...head.compaction.cleaned.map(({ to }) => to));
    const clean = records.filter(({ offset }) => offset < cleanTo).map(({ key }) => key);
    expect(new Set(clean).size).toBe(clean.length);
    return { head, rows, records };
  }

  /** A new reader gets these records, in order, and finds each CRC right. */
  async checkRead({ head, records }: Checked): Promise<void> {
    const reader = this.log.broker();
    const read: number[] = [];
    for (let offset = head.startOffset; offset < head.endOffset;) {
      const { segments, nextOffset } = found(await reader.fetch(this.topic, { offset }));
      const rows = segments.map((bytes) => ({ bytes }));
      read.push(...recordsIn(rows).map((record) => record.offset));
      offset = nextOffset;
    }
    reader.broker.close();
    const due = records.map(({ offset }) => offset);
    expect(read.filter((offset) => offset >= head.startOffset)).toEqual(due);
  }

  async #send(bytes: Bytes): Promise<number> {
    return baseOffset(await this.broker.produce(this.topic, bytes.slice().buffer));
  }
}

/** `readRecords` would make hex of megabytes. */
function recordsIn(rows: readonly { readonly bytes: ArrayBuffer }[]): KeptRecord[] {
  const records: KeptRecord[] = [];
  for (const row of rows) {
    for (const batch of readBatches(new Uint8Array(row.bytes))) {
      const cursor = new RecordCursor(batch, undefined);
      const text = (at: number, length: number): string =>
        Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + at, length).toString('latin1');
      while (cursor.next()) {
        const { offset, keyAt, keyLength, valueAt, valueLength } = cursor;
        const value = valueLength < 0 ? null : text(valueAt, valueLength);
        records.push({ offset, key: text(keyAt, keyLength), value });
      }
    }
  }
  return records;
}
