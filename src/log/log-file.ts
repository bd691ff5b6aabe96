import { INVALID_LOG_FILE, PARTITION_NOT_EMPTY } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { MAX_INFLATED_BYTES } from '../record/batch-format.ts';
import { wholeBatchBytes } from '../record/batch-length.ts';
import { RecordBatch } from '../record/batch-reader.ts';
import { crcMatches } from '../record/batch-seal.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import { storeBatches } from './append.ts';
import type { Appended } from './append.ts';
import type { PartitionHead } from './head.ts';
import { ProducerStates } from './producer-state.ts';
import { inflateRecords } from './validate.ts';

/** The batches of a Kafka log file, each of their records checked. Throws `INVALID_LOG_FILE`. */
export function readLogFile(file: Uint8Array): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at < file.length;) {
    try {
      const size = wholeBatchBytes(file, at);
      if (size === undefined) throw new Error('the file ends in the middle of a batch');
      const batch = new RecordBatch(file.subarray(at, at + size));
      checkBatch(batch, batches.at(-1));
      batches.push(batch);
      at += size;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TablogError(INVALID_LOG_FILE, `the batch at byte ${at} cannot be read: ${why}`, {
        details: { at },
        cause,
      });
    }
  }
  if (batches.length > 0) return batches;
  throw new TablogError(INVALID_LOG_FILE, 'the file is empty');
}

/** Puts the batches into a partition that has never had any. Throws `PARTITION_NOT_EMPTY`. */
export function importBatches(
  head: PartitionHead,
  batches: readonly RecordBatch[],
  now: number,
): Omit<Appended, 'results'> {
  const { partition, endOffset, unmerged } = head;
  if (endOffset > 0) {
    const happened = `partition ${partition} is not new: its next offset is ${endOffset}`;
    throw new TablogError(PARTITION_NOT_EMPTY, happened, { details: { partition, endOffset } });
  }
  const from = batches[0]!.baseOffset;
  // Producers number their batches for each partition anew: the file's numbers are another one's.
  const producers = new ProducerStates(head.producers, now);
  const places = { startOffset: from, endOffset: from, rowsFrom: from };
  const begun = { ...head, ...places, unmerged: { ...unmerged, from } };
  return storeBatches(begun, batches, producers);
}

function checkBatch(batch: RecordBatch, before: RecordBatch | undefined): void {
  if (!crcMatches(batch.bytes)) throw new Error('its CRC is wrong');
  if (batch.isControl) throw new Error('it is a marker of a transaction');
  if (before !== undefined && batch.baseOffset !== before.nextOffset) {
    throw new Error(
      `it begins at offset ${batch.baseOffset}, and ${before.nextOffset} is the next`,
    );
  }
  if (batch.baseOffset < 0) throw new Error(`it begins at offset ${batch.baseOffset}`);
  const cursor = new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
  let last = batch.baseOffset - 1;
  while (cursor.next()) {
    if (cursor.offset <= last) throw new Error('its offsets are out of order');
    last = cursor.offset;
  }
}
