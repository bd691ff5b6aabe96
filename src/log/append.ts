import { CONFLICT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { placeBatch } from '../record/batch-seal.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import type { PartitionHead } from './head.ts';
import { ProducerStates } from './producer-state.ts';
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

/** A batch on its way into a partition. */
export interface NewBatch {
  readonly batch: RecordBatch;
  /** Milliseconds since 1970, where the topic's records have the time of their append. */
  readonly appendTime: number | null;
  /** Where it must be stored, or nowhere; null: at the end, wherever that is. */
  readonly expectedOffset: number | null;
}

/** Where a batch was stored, now or, when it comes once more, before. */
export interface BatchPlace {
  readonly baseOffset: number;
  readonly appendTime: number | null;
}

export interface Appended {
  readonly head: PartitionHead;
  readonly segments: readonly Segment[];
  /** Of each batch, in order: its place, or why it was not stored. */
  readonly results: readonly (BatchPlace | TablogError)[];
}

/**
 * Places `batches` at the end of the partition: what to store, and the head to store with it. A
 * batch that its producer sends once more is not stored again, and one that is out of its producer's
 * order not at all.
 *
 * Pure but for the base offsets, which are written into the batches' own bytes.
 */
export function appendBatches(
  head: PartitionHead,
  batches: readonly NewBatch[],
  now: number,
): Appended {
  const producers = new ProducerStates(head.producers, now);
  const placed: RecordBatch[] = [];
  let next = head.endOffset;
  const results = batches.map(({ batch, appendTime, expectedOffset }) => {
    const known = producers.find(batch);
    if (known instanceof TablogError) return known;
    if (known !== undefined) return { baseOffset: known.baseOffset, appendTime: known.appendTime };
    const baseOffset = next;
    if (expectedOffset !== null && expectedOffset !== baseOffset) {
      return conflict(head, expectedOffset, baseOffset);
    }
    placeBatch(batch.bytes, baseOffset);
    // The batch's own base offset is what the producer wrote; only the distance counts here.
    next += batch.nextOffset - batch.baseOffset;
    producers.remember(batch, baseOffset, appendTime);
    placed.push(batch);
    return { baseOffset, appendTime };
  });
  const segments: Segment[] = [];
  let { endOffset, bytes, maxTimestamp, timeIndex } = head;
  for (const group of groupBySize(placed)) {
    const baseOffset = endOffset;
    const maxBefore = maxTimestamp;
    for (const batch of group) {
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
      producers: producers.toRows(),
    },
    segments,
    results,
  };
}

function conflict(
  { partition }: PartitionHead,
  expectedOffset: number,
  endOffset: number,
): TablogError {
  return new TablogError(
    CONFLICT,
    `the next offset of partition ${partition} is ${endOffset}, not ${expectedOffset}`,
    { details: { partition, expectedOffset, endOffset } },
  );
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
