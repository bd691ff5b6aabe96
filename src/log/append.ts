import { placeBatch } from '../record/batch-seal.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import type { PartitionHead } from './head.ts';
import { extendTimeIndex } from './time-index.ts';

/** A row of a partition store: whole batches, end to end, named by the first one's base offset. */
export interface Segment {
  readonly baseOffset: number;
  /** The offset after its last record. */
  readonly nextOffset: number;
  readonly bytes: ArrayBuffer;
}

/**
 * A row holds at most this, unless one batch alone is larger: what one `getAll` brings stays
 * bounded, and Chrome stores larger values well (values from 64 KiB on cost a file each).
 */
export const SEGMENT_BYTES: number = 1024 * 1024;

export interface Appended {
  readonly head: PartitionHead;
  readonly segments: readonly Segment[];
  /** The base offset of each batch, in order. */
  readonly baseOffsets: readonly number[];
}

/**
 * Places `batches` at the end of the partition: what to store, and the head to store with it.
 * Pure but for the base offsets, which are written into the batches' own bytes.
 */
export function appendBatches(head: PartitionHead, batches: readonly RecordBatch[]): Appended {
  const baseOffsets: number[] = [];
  const segments: Segment[] = [];
  let { endOffset, bytes, maxTimestamp, timeIndex } = head;
  for (const group of groupBySize(batches)) {
    const baseOffset = endOffset;
    const maxBefore = maxTimestamp;
    for (const batch of group) {
      placeBatch(batch.bytes, endOffset);
      baseOffsets.push(endOffset);
      // The batch's own base offset is what the producer wrote; only the distance counts here.
      endOffset += batch.nextOffset - batch.baseOffset;
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp);
    }
    const segment = { baseOffset, nextOffset: endOffset, bytes: joinBatches(group) };
    const size = segment.bytes.byteLength;
    timeIndex = extendTimeIndex(timeIndex, baseOffset, maxBefore, size);
    bytes += size;
    segments.push(segment);
  }
  return {
    head: {
      ...head,
      endOffset,
      bytes,
      segments: head.segments + segments.length,
      maxTimestamp,
      timeIndex,
    },
    segments,
    baseOffsets,
  };
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
