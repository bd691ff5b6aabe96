import type { RecordBatch } from '../record/batch-reader.ts';
import type { StoredSegment } from '../store/store.ts';

/**
 * A row of a partition's object store: whole batches end to end, with the first base offset as key.
 */
export interface Segment extends StoredSegment {
  /** The offset after the segment's last record. */
  readonly nextOffset: number;
}

/**
 * The rows with their end offsets: each row ends where the next one begins, and the last at `end`.
 */
export function rowsUpTo(end: number, rows: readonly StoredSegment[]): Segment[] {
  return rows.map((row, i) => ({ ...row, nextOffset: rows[i + 1]?.baseOffset ?? end }));
}

/**
 * The bound of a row, unless one batch alone is larger, so that the result of one `getAll` is
 * bounded. Rows are not smaller, because Chrome stores each value of 64 KiB or more in a file of
 * its own.
 */
export const SEGMENT_BYTES: number = 1024 * 1024;

/** Packs batches that follow each other from `baseOffset` on into as few rows as possible. */
export function packSegments(batches: readonly RecordBatch[], baseOffset: number): Segment[] {
  let next = baseOffset;
  return groupBySize(batches).map((group) => {
    const base = next;
    for (const batch of group) next += batch.nextOffset - batch.baseOffset;
    return { baseOffset: base, nextOffset: next, bytes: joinBatches(group) };
  });
}

function groupBySize(batches: readonly RecordBatch[]): RecordBatch[][] {
  const groups: RecordBatch[][] = [];
  let group: RecordBatch[] = [];
  let size = 0;
  for (const batch of batches) {
    if (group.length > 0 && size + batch.bytes.length > SEGMENT_BYTES) {
      groups.push(group);
      group = [];
      size = 0;
    }
    group.push(batch);
    size += batch.bytes.length;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function joinBatches(batches: readonly RecordBatch[]): ArrayBuffer {
  const [first] = batches as [RecordBatch, ...RecordBatch[]];
  if (batches.length === 1 && first.bytes.length === first.bytes.buffer.byteLength) {
    return first.bytes.buffer as ArrayBuffer; // a batch has a buffer of its own
  }
  const joined = new Uint8Array(batches.reduce((size, batch) => size + batch.bytes.length, 0));
  let at = 0;
  for (const batch of batches) {
    joined.set(batch.bytes, at);
    at += batch.bytes.length;
  }
  return joined.buffer;
}
