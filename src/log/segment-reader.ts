import { BATCH_CORRUPT, LOG_CORRUPT, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { crcMatches } from '../record/batch-seal.ts';
import { ATTRIBUTE, CODEC, FIELD, readInt64, viewOf } from '../record/batch-format.ts';
import { wholeBatchBytes } from '../record/batch-length.ts';
import { readBatches } from '../record/batch-reader.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import type { SegmentsRead } from '../store/store.ts';
import type { PartitionHead } from './head.ts';
import { inflateRecords } from './validate.ts';

/** Where a reader stands in a partition, and how much it takes. */
export interface ReadFrom {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  /** Whole batches up to about this many bytes, and at least one. */
  readonly maxBytes: number;
}

/** Batches from several segments, without a gap. */
export interface SegmentsSlice {
  /** Whole batches; the first one covers the offset asked for. Empty at the end of the partition. */
  readonly segments: readonly ArrayBuffer[];
  /** The offset after the last record. */
  readonly nextOffset: number;
}

export interface PartitionRead extends SegmentsSlice {
  readonly startOffset: number;
  readonly endOffset: number;
}

/**
 * What a reader at `from` gets of what the store gave. Every read is held against the head, so that
 * data which the browser lost is an error with its range, and never a silent gap.
 *
 * Throws `UNKNOWN_TOPIC`, `OFFSET_OUT_OF_RANGE`, `LOG_CORRUPT` or `BATCH_CORRUPT`.
 */
export function readPartition(read: SegmentsRead, from: ReadFrom): PartitionRead {
  const head = read.head as PartitionHead | undefined;
  if (head?.topicId !== from.topicId || head.partition !== from.partition) throw topicGone(from);
  const { startOffset, endOffset } = head;
  checkRange(from, startOffset, endOffset);
  const segments: ArrayBuffer[] = [];
  let next = from.offset;
  let left = from.maxBytes;
  for (const segment of read.segments) {
    if (next >= endOffset || left <= 0) break;
    const base = readInt64(new DataView(segment), FIELD.baseOffset);
    const slice = base <= next ? sliceSegment(segment, next, left) : undefined;
    if (slice === undefined) {
      if (segments.length === 0) throw lostRange(from, next, Math.max(base, next + 1));
      break; // the next read begins at the gap, and says so
    }
    const sound = soundSlice(slice);
    if (sound.bytes.byteLength === 0) {
      if (segments.length === 0) throw damaged(from, slice.bytes);
      break; // likewise
    }
    segments.push(sound.bytes);
    next = sound.nextOffset;
    left -= sound.bytes.byteLength;
    if (sound !== slice) break;
  }
  if (segments.length === 0 && next < endOffset) throw lostRange(from, next, endOffset);
  return { startOffset, endOffset, nextOffset: next, segments };
}

/** The batches before the first whose CRC is wrong; `slice` itself where there is none. */
function soundSlice(slice: SegmentSlice): SegmentSlice {
  let bytes = 0;
  let nextOffset = 0;
  for (const batch of readBatches(new Uint8Array(slice.bytes))) {
    if (!crcMatches(batch.bytes)) return { bytes: slice.bytes.slice(0, bytes), nextOffset };
    bytes += batch.bytes.length;
    nextOffset = batch.nextOffset;
  }
  return slice;
}

/** Throws `OFFSET_OUT_OF_RANGE` unless `from.offset` can be read now or is the next to come. */
function checkRange(from: ReadFrom, startOffset: number, endOffset: number): void {
  const { partition, offset } = from;
  if (offset >= startOffset && offset <= endOffset) return;
  throw new TablogError(
    OFFSET_OUT_OF_RANGE,
    `offset ${offset} of partition ${partition} is outside ${startOffset} to ${endOffset}`,
    { details: { partition, offset, startOffset, endOffset } },
  );
}

export interface SegmentSlice {
  readonly bytes: ArrayBuffer;
  readonly nextOffset: number;
}

/**
 * The batches of `segment` from the one that covers `offset`, up to `maxBytes` and at least one:
 * the segment itself where that is all of it, else a copy. `undefined` when it ends before `offset`.
 */
export function sliceSegment(
  segment: ArrayBuffer,
  offset: number,
  maxBytes: number,
): SegmentSlice | undefined {
  const bytes = new Uint8Array(segment);
  const view = viewOf(bytes);
  let start: number | undefined;
  let nextOffset = offset;
  let at = 0;
  for (;;) {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) break;
    const after =
      readInt64(view, at + FIELD.baseOffset) + view.getInt32(at + FIELD.lastOffsetDelta) + 1;
    if (after > offset) {
      if (start !== undefined && at + size - start > maxBytes) break;
      start ??= at;
      nextOffset = after;
    }
    at += size;
  }
  if (start === undefined) return undefined;
  const whole = start === 0 && at === segment.byteLength;
  return { bytes: whole ? segment : segment.slice(start, at), nextOffset };
}

/** The offset of the first record in `segment` at or after `timestamp`, if there is one. */
export function offsetAtTime(
  segment: ArrayBuffer,
  timestamp: number,
  maxBatchBytes: number,
): number | undefined {
  for (const batch of readBatches(new Uint8Array(segment))) {
    if (batch.maxTimestamp < timestamp) continue;
    const cursor = new RecordCursor(batch, inflateRecords(batch, maxBatchBytes));
    while (cursor.next()) {
      if (cursor.timestamp >= timestamp) return cursor.offset;
    }
  }
  return undefined;
}

/** Whether a batch of `segment` is compressed. */
export function hasCompressed(segment: ArrayBuffer): boolean {
  const bytes = new Uint8Array(segment);
  for (let at = 0; ; ) {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) return false;
    if ((bytes[at + FIELD.attributes + 1]! & ATTRIBUTE.codec) !== CODEC.none) return true;
    at += size;
  }
}

/** The offset after the last whole batch of `segment`. */
export function endOfSegment(segment: ArrayBuffer): number {
  let end = 0;
  for (const batch of readBatches(new Uint8Array(segment))) end = batch.nextOffset;
  return end;
}

export function topicGone(of: { readonly topicId: string; readonly partition: number }): TablogError {
  return new TablogError(
    UNKNOWN_TOPIC,
    `the topic with id ${of.topicId} has been deleted, or has no partition ${of.partition}`,
    { details: { topicId: of.topicId, partition: of.partition } },
  );
}

/** The first batch of `segment` is not what was written. */
function damaged({ partition }: ReadFrom, segment: ArrayBuffer): TablogError {
  const [first] = readBatches(new Uint8Array(segment));
  const { baseOffset, nextOffset } = first!;
  return new TablogError(
    BATCH_CORRUPT,
    `the CRC-32C of the records ${baseOffset} to ${nextOffset - 1} of partition ${partition} is wrong`,
    { details: { partition, from: baseOffset, to: nextOffset } },
  );
}

function lostRange(from: ReadFrom, lostFrom: number, lostTo: number): TablogError {
  return new TablogError(
    LOG_CORRUPT,
    `the stored records ${lostFrom} to ${lostTo - 1} of partition ${from.partition} are gone`,
    { details: { partition: from.partition, from: lostFrom, to: lostTo } },
  );
}
