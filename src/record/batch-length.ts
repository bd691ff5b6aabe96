import { corruptBatch } from './batch-error.ts';
import { BATCH_HEADER_BYTES, FIELD, LENGTH_PREFIX_BYTES, viewOf } from './batch-format.ts';

/** A batch of at least this much follows its length field. */
const MIN_BATCH_LENGTH = BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES;

/** The size of the batch at `at`, or `undefined` where less than a whole one is left. */
export function wholeBatchBytes(bytes: Uint8Array, at: number): number | undefined {
  if (bytes.length - at < LENGTH_PREFIX_BYTES) return undefined;
  const length = viewOf(bytes).getInt32(at + FIELD.batchLength);
  if (length < MIN_BATCH_LENGTH) {
    throw corruptBatch(`its length is ${length}, less than a header's ${MIN_BATCH_LENGTH}`);
  }
  const size = LENGTH_PREFIX_BYTES + length;
  return at + size <= bytes.length ? size : undefined;
}
