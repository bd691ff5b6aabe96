import {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAGIC,
  viewOf,
  writeInt64,
} from '../record/batch-format.ts';
import { RecordBatch } from '../record/batch-reader.ts';
import { sealBatch, stampProducer } from '../record/batch-seal.ts';

/** The most offsets of one batch: `last offset delta` in its header is an int32. */
export const MAX_BATCH_OFFSETS: number = 2 ** 31;

/**
 * The most offsets that the gaps of an import can have, in all. More is taken for damage: Kafka's
 * compaction leaves no such gaps, and each 2^31 offsets of them take a header.
 */
export const MAX_GAP_OFFSETS: number = 2 ** 40;

/**
 * Headers without records for the offsets from `from` up to `to`, so that the rows of a partition
 * tile its range. Exports leave these headers out.
 */
export function gapBatches(from: number, to: number): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let base = from; base < to; base += MAX_BATCH_OFFSETS) {
    batches.push(gapBatch(base, Math.min(base + MAX_BATCH_OFFSETS, to)));
  }
  return batches;
}

function gapBatch(from: number, to: number): RecordBatch {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  const view = viewOf(bytes);
  writeInt64(view, FIELD.baseOffset, from);
  view.setInt32(FIELD.batchLength, BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES);
  view.setInt8(FIELD.magic, MAGIC);
  view.setInt16(FIELD.attributes, ATTRIBUTE.gap);
  view.setInt32(FIELD.lastOffsetDelta, to - from - 1);
  writeInt64(view, FIELD.baseTimestamp, -1);
  writeInt64(view, FIELD.maxTimestamp, -1);
  stampProducer(bytes, { id: -1, epoch: -1, sequence: -1 });
  sealBatch(bytes);
  return new RecordBatch(bytes);
}
