import { RecordBatch } from '../record/batch-reader.ts';
import { wholeBatchBytes } from '../record/batch-length.ts';
import { crcMatches } from '../record/batch-seal.ts';
import type { StoredSegment } from '../store/store.ts';

/** A run of whole batches of a segment. */
export interface SegmentSlice {
  /** The segment's own buffer for the whole segment, else a copy; empty: nothing could be read. */
  readonly bytes: ArrayBuffer;
  /** The offset after the last record. */
  readonly nextOffset: number;
  /**
   * Set when a damaged batch ends the slice: the offset after that batch, or Infinity when the
   * header of the batch is damaged too.
   */
  readonly damagedTo: number | undefined;
}

/**
 * The batches of `segment` from the batch that covers `offset`, up to `maxBytes` and at least one.
 * With `checkCrcs`, for bytes from the disk, the slice ends before the first batch with a wrong
 * CRC.
 */
export function sliceSegment(
  segment: StoredSegment,
  offset: number,
  maxBytes: number,
  checkCrcs: boolean,
): SegmentSlice {
  const bytes = new Uint8Array(segment.bytes);
  let at = 0;
  let expected = segment.baseOffset;
  let start: number | undefined;
  let damagedTo: number | undefined;
  while (at < bytes.length) {
    const batch = batchAt(bytes, at, expected);
    if (batch === undefined) {
      damagedTo = Infinity;
      break;
    }
    const size = batch.bytes.length;
    if (batch.nextOffset > offset) {
      if (start !== undefined && at + size - start > maxBytes) break;
      if (checkCrcs && !crcMatches(batch.bytes)) {
        damagedTo = batch.nextOffset;
        break;
      }
      start ??= at;
    }
    expected = batch.nextOffset;
    at += size;
  }
  if (start === undefined) return { bytes: new ArrayBuffer(0), nextOffset: offset, damagedTo };
  const whole = start === 0 && at === bytes.length;
  return {
    bytes: whole ? segment.bytes : segment.bytes.slice(start, at),
    nextOffset: expected,
    damagedTo,
  };
}

/** The batch at `at`; `undefined` unless it is whole and has the base offset `expected`. */
function batchAt(bytes: Uint8Array, at: number, expected: number): RecordBatch | undefined {
  try {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) return undefined;
    const batch = new RecordBatch(bytes.subarray(at, at + size));
    return batch.baseOffset === expected ? batch : undefined;
  } catch {
    return undefined; // the caller reports the range of the damaged batch
  }
}
