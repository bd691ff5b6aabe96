import { INVALID_RECORD } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { ATTRIBUTE } from '../record/batch-format.ts';
import { corruptBatch, recordTooLarge } from '../record/batch-error.ts';
import { readSingleBatch } from '../record/batch-reader.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { crcMatches } from '../record/batch-seal.ts';
import { mustGetCodec } from '../record/compression/codecs.ts';
import { gunzipRecords } from '../record/compression/gzip.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import type { Sequenced } from './producer-state.ts';

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
  if ((batch.attributes & ATTRIBUTE.appendTime) !== 0) {
    throw corruptBatch('a producer cannot mark it as append time');
  }
  if (batch.nextOffset - batch.baseOffset !== batch.recordCount) {
    throw corruptBatch('its offsets have gaps');
  }
  checkSequence(batch);
  const maxTimestamp = checkRecords(batch, limits);
  if (maxTimestamp !== batch.maxTimestamp) throw wrongMaxTimestamp();
  return batch;
}

/**
 * Checks a batch that was made elsewhere. Unlike a producer's own, it has a CRC, compaction may
 * have left gaps in it, and its records may have append time. Its producer is of another log, and
 * is not looked at.
 */
export function validateRawBatch(bytes: Uint8Array, limits: BatchLimits): RecordBatch {
  const batch = readSingleBatch(bytes);
  if (!crcMatches(bytes)) throw corruptBatch('its CRC is wrong');
  // Throws for an id beyond the safe integers as well: an import of the partition's file would.
  if (batch.producerId < -1) throw corruptBatch(`its producer id is ${batch.producerId}`);
  // Compaction keeps the header's max timestamp, also where it has removed that record.
  if (checkRecords(batch, limits) > batch.maxTimestamp) throw wrongMaxTimestamp();
  return batch;
}

/** Throws for numbers of a producer that cannot be. */
export function checkSequence({ producerId, producerEpoch, baseSequence }: Sequenced): void {
  if (producerId === -1 || (producerId >= 0 && producerEpoch >= 0 && baseSequence >= 0)) return;
  throw corruptBatch(
    `its producer ${producerId} has the epoch ${producerEpoch} and the sequence ${baseSequence}`,
  );
}

/** Checks every record; returns the newest timestamp. */
function checkRecords(batch: RecordBatch, limits: BatchLimits): number {
  if (batch.recordCount === 0) throw corruptBatch('it has no records');
  if (batch.isTransactional || batch.isControl) {
    throw corruptBatch('a producer cannot mark it as transactional or control');
  }
  const cursor = new RecordCursor(batch, inflateRecords(batch, limits.maxBatchBytes));
  const hasGaps = batch.nextOffset - batch.baseOffset !== batch.recordCount;
  let expected = batch.baseOffset;
  let maxTimestamp = -1;
  while (cursor.next()) {
    const isInOrder = hasGaps ? cursor.offset >= expected : cursor.offset === expected;
    if (!isInOrder) throw corruptBatch('its offsets are out of order');
    expected = cursor.offset + 1;
    maxTimestamp = Math.max(maxTimestamp, cursor.timestamp);
    if (limits.needsKeys && cursor.keyLength < 0) {
      throw new TablogError(INVALID_RECORD, 'the topic is compacted, and a record has no key');
    }
    if (cursor.payloadBytes > limits.maxRecordBytes) {
      throw recordTooLarge(cursor.payloadBytes, limits.maxRecordBytes);
    }
  }
  return maxTimestamp;
}

/** The time index relies on the max timestamp. */
function wrongMaxTimestamp(): TablogError {
  return corruptBatch('its max timestamp is wrong');
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
