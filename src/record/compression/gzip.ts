import { Gunzip, gzipSync } from 'fflate';
import { TablogError } from '../../base/error.ts';
import { corruptBatch, inflatedTooLarge } from '../batch-error.ts';
import { viewOf } from '../batch-format.ts';
import type { RecordCodec } from './codec.ts';
import { concat } from '../concat.ts';
import { packBatch } from '../pack-batch.ts';

/** Deflate grows at most 1,032 times: 8 KiB in bounds what can come out before the next check. */
const SLICE_BYTES = 8 * 1024;

/** A header of 10 bytes, an empty block, and a trailer of 8. */
const MIN_BYTES = 20;

/**
 * Of 9, and the default of zlib and of Kafka. On webhook events in batches of 256 KiB fflate is no
 * slower at 6 than at 1, and leaves 3.4 % of the bytes instead of 5.9 %.
 */
const LEVEL = 6;

/**
 * The batch compressed with gzip, not yet sealed; the batch itself where gzip would not make it
 * smaller.
 */
export function gzipBatch(batch: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return packBatch(batch, 'gzip', gzipRecords);
}

function gzipRecords(records: Uint8Array): Uint8Array {
  return gzipSync(records, { level: LEVEL, mtime: 0 });
}

/**
 * Inflates a batch's records. What comes out is counted while it comes: past `limit` bytes it stops
 * with `INFLATED_TOO_LARGE`, whatever sizes the bytes declare. Throws `BATCH_CORRUPT` where the
 * bytes are no gzip.
 */
export function gunzipRecords(bytes: Uint8Array, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let memberStart = 0;
  const inflate = new Gunzip((chunk) => {
    size += chunk.length;
    if (size > limit) throw inflatedTooLarge(limit);
    if (chunk.length > 0) chunks.push(chunk);
  });
  inflate.onmember = () => {
    memberStart = size;
  };
  try {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      inflate.push(bytes.subarray(at, at + SLICE_BYTES), at + SLICE_BYTES >= bytes.length);
    }
  } catch (error) {
    if (error instanceof TablogError) throw error;
    throw corruptBatch(`its gzip does not inflate (${String(error)})`);
  }
  // fflate does not miss a trailer that is cut off; its last field is the last member's size.
  const trailer = bytes.length - 4;
  if (bytes.length < MIN_BYTES || viewOf(bytes).getUint32(trailer, true) !== size - memberStart) {
    throw corruptBatch('its gzip ends too early');
  }
  return chunks.length === 1 ? chunks[0]! : concat(chunks, size);
}

export const gzip: RecordCodec = { inflate: gunzipRecords, deflate: gzipRecords };
