import type { RecordBatch } from '../record/batch-reader.ts';
import type { StoredSegment } from '../store/store.ts';

/** A row of a partition store: whole batches, end to end, named by the first one's base offset. */
export interface Segment extends StoredSegment {
  /** The offset after its last record. */
  readonly nextOffset: number;
}

/** Rows as they lie: each ends where the next one begins, and the last one at `end`. */
export function rowsUpTo(end: number, rows: readonly StoredSegment[]): Segment[] {
  return rows.map((row, i) => ({ ...row, nextOffset: rows[i + 1]?.baseOffset ?? end }));
}

/**
 * A row holds at most this, unless one batch alone is larger: what one `getAll` brings stays
 * bounded, and Chrome stores larger values well (values from 64 KiB on cost a file each).
 */
export const SEGMENT_BYTES: number = 1024 * 1024;

/** Batches that follow each other from `baseOffset` on, in as few rows as that makes. */
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
    return first.bytes.buffer as ArrayBuffer; // it arrived as a buffer of its own: no copy
  }
  const joined = new Uint8Array(batches.reduce((size, batch) => size + batch.bytes.length, 0));
  let at = 0;
  for (const batch of batches) {
    joined.set(batch.bytes, at);
    at += batch.bytes.length;
  }
  return joined.buffer;
}
