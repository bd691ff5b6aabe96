import { BATCH_CORRUPT, LOG_CORRUPT, OFFSET_OUT_OF_RANGE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { ATTRIBUTE, CODEC, FIELD } from '../record/batch-format.ts';
import { wholeBatchBytes } from '../record/batch-length.ts';
import { readBatches } from '../record/batch-reader.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import type { SegmentsRead, StoredSegment } from '../store/store.ts';
import { headOf } from './head.ts';
import type { LocatedPartition, PartitionHead } from './head.ts';
import { sliceSegment } from './segment-slice.ts';
import { inflateRecords } from './validate.ts';

/** The offset at which a read of a partition begins, and its bound. */
export interface ReadFrom extends LocatedPartition {
  readonly offset: number;
  /** Whole batches up to about this many bytes, and at least one. */
  readonly maxBytes: number;
}

/** Batches from several segments, without a gap. */
export interface SegmentsSlice {
  /**
   * Whole batches; the first one covers the offset asked for. Empty at the end of the partition.
   */
  readonly segments: readonly ArrayBuffer[];
  /** The offset after the last record. */
  readonly nextOffset: number;
}

export interface PartitionRead extends SegmentsSlice {
  readonly head: PartitionHead;
}

/**
 * Checks the segments that the store has read, and cuts them to the offset and bytes of `from`.
 * Each read is compared with the head, so that data which the browser has lost is an error with its
 * range, and never a silent gap.
 *
 * Throws `UNKNOWN_TOPIC`, `OFFSET_OUT_OF_RANGE`, `LOG_CORRUPT` or `BATCH_CORRUPT`.
 */
export function readPartition(read: SegmentsRead, from: ReadFrom): PartitionRead {
  const head = headOf(read.head, from);
  const { startOffset, endOffset } = head;
  checkRange(from, startOffset, endOffset);
  const segments: ArrayBuffer[] = [];
  let nextOffset = from.offset;
  let left = from.maxBytes;
  for (let i = 0; nextOffset < endOffset && (left > 0 || segments.length === 0); i++) {
    const segment = read.segments[i];
    const rowEnd = read.segments[i + 1]?.baseOffset ?? read.nextBaseOffset ?? endOffset;
    if (segment === undefined) {
      if (segments.length === 0) throw lost(from.partition, nextOffset, rowEnd);
      break; // the next read begins here, and throws if the data is lost
    }
    if (segment.baseOffset > nextOffset) {
      if (segments.length === 0) throw lost(from.partition, nextOffset, segment.baseOffset);
      break; // likewise
    }
    const slice = sliceSegment(segment, nextOffset, left, true);
    if (slice.bytes.byteLength > 0) segments.push(slice.bytes);
    else if (segments.length === 0) {
      const to = Math.min(slice.damagedTo ?? rowEnd, rowEnd);
      throw slice.damagedTo === undefined && segment.bytes.byteLength > 0
        ? lost(from.partition, nextOffset, to)
        : damaged(from.partition, nextOffset, to);
    }
    nextOffset = slice.nextOffset;
    left -= slice.bytes.byteLength;
    if (slice.damagedTo !== undefined) break;
  }
  return { head, nextOffset, segments };
}

/** Throws `OFFSET_OUT_OF_RANGE` unless `from.offset` can be read or is the next to be appended. */
function checkRange(from: ReadFrom, startOffset: number, endOffset: number): void {
  const { partition, offset } = from;
  if (offset >= startOffset && offset <= endOffset) return;
  throw new TablogError(
    OFFSET_OUT_OF_RANGE,
    `offset ${offset} of partition ${partition} is outside ${startOffset} to ${endOffset}`,
    { details: { partition, offset, startOffset, endOffset } },
  );
}

/**
 * The offset of the first record in `segment`, from the offset `from` on, with a timestamp of at
 * least `timestamp`; `undefined`: there is none. The offset of a batch that cannot be read counts
 * as such a record: whoever reads from there is told of the damage.
 */
export function offsetAtTime(
  { bytes, baseOffset }: StoredSegment,
  from: number,
  timestamp: number,
  maxBatchBytes: number,
): number | undefined {
  let next = baseOffset;
  let left = bytes.byteLength;
  try {
    for (const batch of readBatches(new Uint8Array(bytes))) {
      const isSkipped = batch.isControl || batch.nextOffset <= from;
      if (!isSkipped && batch.maxTimestamp >= timestamp) {
        const cursor = new RecordCursor(batch, inflateRecords(batch, maxBatchBytes));
        while (cursor.next()) {
          if (cursor.timestamp >= timestamp && cursor.offset >= from) return cursor.offset;
        }
      }
      next = batch.nextOffset;
      left -= batch.bytes.length;
    }
  } catch (error) {
    if (!(error instanceof TablogError) || error.code !== BATCH_CORRUPT.code) throw error;
    left = 1;
  }
  const isDamaged = left > 0 || next === baseOffset;
  return isDamaged ? Math.max(next, from) : undefined;
}

/** Whether a batch of `segment` is compressed. */
export function hasCompressed(segment: ArrayBuffer): boolean {
  const bytes = new Uint8Array(segment);
  for (let at = 0; ;) {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) return false;
    if ((bytes[at + FIELD.attributes + 1]! & ATTRIBUTE.codec) !== CODEC.none) return true;
    at += size;
  }
}

function damaged(partition: number, from: number, to: number): TablogError {
  return new TablogError(
    BATCH_CORRUPT,
    `the stored records ${from} to ${to - 1} of partition ${partition} are not what was written`,
    { details: { partition, from, to } },
  );
}

function lost(partition: number, from: number, to: number): TablogError {
  return new TablogError(
    LOG_CORRUPT,
    `the stored records ${from} to ${to - 1} of partition ${partition} are gone`,
    { details: { partition, from, to } },
  );
}
