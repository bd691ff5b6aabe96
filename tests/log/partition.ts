import { TablogError } from '../../src/base/error.ts';
import { appendBatches } from '../../src/log/append.ts';
import type { Appended } from '../../src/log/append.ts';
import type { Segment } from '../../src/log/segment.ts';
import { headRef, newHead } from '../../src/log/head.ts';
import type { PartitionHead } from '../../src/log/head.ts';
import { readPartition } from '../../src/log/segment-reader.ts';
import type { PartitionRead, ReadFrom } from '../../src/log/segment-reader.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { partitionStore } from '../../src/store/schema.ts';
import type { SegmentsRead, Store } from '../../src/store/store.ts';
import { batchOf, readRecords, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';

export const TOPIC_ID = 'topic-1';
export const EVERYTHING = 1024 * 1024 * 1024;

const STORE = partitionStore(0);

/** A partition in memory, with the verbs that a test needs. */
export class TestPartition {
  readonly #store: Store = openMemoryStore(0);
  head: PartitionHead = newHead(TOPIC_ID, 0);
  segments: Segment[] = [];
  /** The base offset of every batch, and the offset after it. */
  readonly ranges: { readonly from: number; readonly to: number }[] = [];

  async append(...batches: readonly Bytes[]): Promise<Appended> {
    const appended = appendBatches(
      this.head,
      batches.map((bytes) => ({
        batch: new RecordBatch(bytes),
        appendTime: null,
        expectedOffset: null,
      })),
      0,
    );
    const { head, results } = appended;
    const baseOffsets = results.map((result) => {
      if (result instanceof TablogError) throw result;
      return result.baseOffset;
    });
    baseOffsets.forEach((from, i) =>
      this.ranges.push({ from, to: baseOffsets[i + 1] ?? head.endOffset }),
    );
    this.head = head;
    this.segments.push(...appended.segments);
    await this.#store.update([headRef(STORE)], (_, write) => {
      write.put(STORE, 'head', head);
      for (const { baseOffset, bytes } of appended.segments) write.put(STORE, baseOffset, bytes);
    });
    return appended;
  }

  /** Takes a segment away as a browser that lost data would: nothing else knows. */
  async lose(segment: Segment): Promise<void> {
    await this.#store.update([headRef(STORE)], (_, write) =>
      write.delete(STORE, segment.baseOffset),
    );
  }

  /** Writes a segment's row anew, changed. */
  async damage(segment: Segment, change: (bytes: Uint8Array) => void): Promise<void> {
    const bytes = Uint8Array.from(new Uint8Array(segment.bytes));
    change(bytes);
    await this.replace(segment, bytes.buffer);
  }

  async replace(segment: Segment, bytes: ArrayBuffer): Promise<void> {
    await this.#store.update([headRef(STORE)], (_, write) =>
      write.put(STORE, segment.baseOffset, bytes),
    );
  }

  async stored(offset: number, maxBytes: number): Promise<SegmentsRead> {
    const [read] = await this.#store.readSegments([{ store: STORE, from: offset, maxBytes }]);
    return read!;
  }

  async read(offset: number, maxBytes: number = EVERYTHING): Promise<PartitionRead> {
    return readPartition(await this.stored(offset, maxBytes), readAt(offset, maxBytes));
  }
}

export function readAt(offset: number, maxBytes: number = EVERYTHING): ReadFrom {
  return { topicId: TOPIC_ID, partition: 0, store: STORE, offset, maxBytes };
}

/** A partition of one segment an entry, and in it a batch of each of those many records. */
export async function partitionOf(
  ...segments: readonly (readonly number[])[]
): Promise<TestPartition> {
  const partition = new TestPartition();
  for (const counts of segments) await partition.append(...counts.map(countedBatch));
  return partition;
}

function countedBatch(records: number): Bytes {
  return batchOf(
    Array.from({ length: records }, (_, i) => recordOf({ value: `v${i}`, timestamp: i })),
  );
}

/** The offsets of all records that a read brought. */
export function offsetsOf({ segments }: { readonly segments: readonly ArrayBuffer[] }): number[] {
  return segments.flatMap((bytes) =>
    readRecords(new Uint8Array(bytes)).map(({ offset }) => offset),
  );
}

/** The whole numbers from `from` to before `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
}
