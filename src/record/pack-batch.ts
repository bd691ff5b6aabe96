import {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  CODEC,
  FIELD,
  LENGTH_PREFIX_BYTES,
  viewOf,
} from './batch-format.ts';
import type { Codec } from './batch-format.ts';

/**
 * The batch with its records compressed, not yet sealed; the batch itself when compression would
 * not make it smaller.
 */
export function packBatch(
  batch: Uint8Array<ArrayBuffer>,
  codec: Codec,
  deflate: (records: Uint8Array) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const records = deflate(batch.subarray(BATCH_HEADER_BYTES));
  if (BATCH_HEADER_BYTES + records.length >= batch.length) return batch;
  const packed = new Uint8Array(BATCH_HEADER_BYTES + records.length);
  packed.set(batch.subarray(0, BATCH_HEADER_BYTES));
  packed.set(records, BATCH_HEADER_BYTES);
  const view = viewOf(packed);
  view.setInt32(FIELD.batchLength, packed.length - LENGTH_PREFIX_BYTES);
  const attributes = view.getInt16(FIELD.attributes) & ~ATTRIBUTE.codec;
  view.setInt16(FIELD.attributes, attributes | CODEC[codec]);
  return packed;
}
