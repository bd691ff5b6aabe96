import { INVALID_RECORD } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { ATTRIBUTE } from '../record/batch-format.ts';
import { corruptBatch, recordTooLarge } from '../record/batch-error.ts';
import { readSingleBatch } from '../record/batch-reader.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { mustGetCodec } from '../record/compression/codecs.ts';
import { gunzipRecords } from '../record/compression/gzip.ts';
import { RecordCursor } from '../record/record-cursor.ts';

const BROKER_ATTRIBUTES = ATTRIBUTE.transactional | ATTRIBUTE.control | ATTRIBUTE.appendTime;

export interface BatchLimits {
  /** Bytes of one record's key, value and headers. */
  readonly maxRecordBytes: number;
  /** Bytes of one batch, inflated. */
  readonly maxBatchBytes: number;
  /** The topic is compacted. */
  readonly needsKeys: boolean;
}

/**
 * Checks a batch from a producer before its transaction, as Kafka's `LogValidator` does: the
 * lengths and every record, so that each stored batch can be read.
 */
export function validateBatch(bytes: Uint8Array, limits: BatchLimits): RecordBatch {
  const batch = readSingleBatch(bytes);
  if (batch.recordCount === 0) throw corruptBatch('it has no records');
  if ((batch.attributes & BROKER_ATTRIBUTES) !== 0) {
    throw corruptBatch('a producer cannot mark it as transactional, control or append time');
  }
  if (batch.nextOffset - batch.baseOffset !== batch.recordCount) {
    throw corruptBatch('its offsets have gaps');
  }
  const { producerId, producerEpoch, baseSequence } = batch;
  const isNobody = producerId === -1;
  if (!isNobody && (producerId < 0 || producerEpoch < 0 || baseSequence < 0)) {
    throw corruptBatch(
      `its producer ${producerId} has the epoch ${producerEpoch} and the sequence ${baseSequence}`,
    );
  }
  const cursor = new RecordCursor(batch, inflateRecords(batch, limits.maxBatchBytes));
  let expected = batch.baseOffset;
  let maxTimestamp = -1;
  while (cursor.next()) {
    if (cursor.offset !== expected++) throw corruptBatch('its offsets are out of order');
    maxTimestamp = Math.max(maxTimestamp, cursor.timestamp);
    if (limits.needsKeys && cursor.keyLength < 0) {
      throw new TablogError(INVALID_RECORD, 'the topic is compacted, and a record has no key');
    }
    if (cursor.payloadBytes > limits.maxRecordBytes) {
      throw recordTooLarge(cursor.payloadBytes, limits.maxRecordBytes);
    }
  }
  // The time index relies on the max timestamp.
  if (maxTimestamp !== batch.maxTimestamp) throw corruptBatch('its max timestamp is wrong');
  return batch;
}

/**
 * Inflates the records up to `limit` bytes. A codec other than gzip must have been loaded
 * (codecs.ts).
 */
export function inflateRecords(batch: RecordBatch, limit: number): Uint8Array {
  if (batch.codec === 'none') return batch.recordBytes;
  if (batch.codec === 'gzip') return gunzipRecords(batch.recordBytes, limit);
  return mustGetCodec(batch.codec).inflate(batch.recordBytes, limit);
}
