import { errorMessage } from '../base/error-text.ts';
import { INVALID_LOG_FILE, PARTITION_NOT_EMPTY } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import {
  BATCH_HEADER_BYTES,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAX_INFLATED_BYTES,
  viewOf,
} from '../record/batch-format.ts';
import { wholeBatchBytes } from '../record/batch-length.ts';
import { RecordBatch } from '../record/batch-reader.ts';
import { crcMatches } from '../record/batch-seal.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import { storeBatches } from './append.ts';
import type { Appended } from './append.ts';
import type { PartitionHead } from './head.ts';
import { ProducerStates } from './producer-state.ts';
import { inflateRecords } from './validate.ts';

/** What a file may be when it is inflated: more would take minutes. */
const MAX_FILE_INFLATED_BYTES = 4 * 1024 ** 3;

/** What is sent after it has offsets that are safe integers, too. */
const MAX_END_OFFSET = 2 ** 52;

/** The batches of a Kafka log file, each of their records checked. Throws `INVALID_LOG_FILE`. */
export function* readLogFile(file: Uint8Array): Generator<RecordBatch, void, undefined> {
  let before: RecordBatch | undefined;
  let inflatedBytes = 0;
  for (let at = 0; at < file.length;) {
    try {
      const batch = new RecordBatch(batchAt(file, at));
      inflatedBytes += checkBatch(batch, before);
      if (inflatedBytes > MAX_FILE_INFLATED_BYTES) {
        throw new Error(`up to here it has more than ${MAX_FILE_INFLATED_BYTES} bytes, inflated`);
      }
      yield batch;
      before = batch;
      at += batch.bytes.length;
    } catch (cause) {
      throw new TablogError(INVALID_LOG_FILE, `the batch at byte ${at}: ${whyOf(cause)}`, {
        details: { at },
        cause,
      });
    }
  }
  if (before === undefined) throw new TablogError(INVALID_LOG_FILE, 'the file is empty');
}

/** Puts the batches into a partition that has never had any. Throws `PARTITION_NOT_EMPTY`. */
export function importBatches(
  head: PartitionHead,
  batches: readonly RecordBatch[],
  now: number,
): Omit<Appended, 'results'> {
  mustBeNew(head);
  const from = batches[0]!.baseOffset;
  // Producers number their batches for each partition anew: the file's numbers are another one's.
  const producers = new ProducerStates(head.producers, now);
  const places = { startOffset: from, endOffset: from, rowsFrom: from };
  const begun = { ...head, ...places, unmerged: { ...head.unmerged, from } };
  return storeBatches(begun, batches, producers);
}

/** Throws `PARTITION_NOT_EMPTY`. */
export function mustBeNew({ partition, endOffset }: PartitionHead): void {
  if (endOffset === 0) return;
  const happened = `partition ${partition} is not new: its next offset is ${endOffset}`;
  throw new TablogError(PARTITION_NOT_EMPTY, happened, { details: { partition, endOffset } });
}

function batchAt(file: Uint8Array, at: number): Uint8Array {
  const size = wholeBatchBytes(file, at);
  if (size !== undefined) return file.subarray(at, at + size);
  const left = file.length - at;
  if (left < BATCH_HEADER_BYTES) throw new Error(`${left} bytes are left, less than any batch has`);
  const claimed = viewOf(file).getInt32(at + FIELD.batchLength) + LENGTH_PREFIX_BYTES;
  throw new Error(`by its header it has ${claimed} bytes, and ${left} are left in the file`);
}

/** Throws what is wrong with it; how large its records are, inflated. */
function checkBatch(batch: RecordBatch, before: RecordBatch | undefined): number {
  if (!crcMatches(batch.bytes)) throw new Error('its CRC is wrong');
  if (batch.isControl) throw new Error('it is a marker of a transaction, which tablog has not');
  const { baseOffset } = batch;
  if (before !== undefined && baseOffset !== before.nextOffset) {
    throw new Error(
      `it begins at offset ${baseOffset}, not at ${before.nextOffset}: there must be no gaps`,
    );
  }
  if (baseOffset < 0) throw new Error(`it begins at offset ${baseOffset}`);
  if (batch.nextOffset > MAX_END_OFFSET) {
    throw new Error(`it ends at offset ${batch.nextOffset}, beyond 2^52`);
  }
  const records = inflateRecords(batch, MAX_INFLATED_BYTES);
  const cursor = new RecordCursor(batch, records);
  let last = baseOffset - 1;
  let maxTimestamp = -1;
  while (cursor.next()) {
    if (cursor.offset <= last) throw new Error('its offsets are out of order');
    last = cursor.offset;
    maxTimestamp = Math.max(maxTimestamp, cursor.timestamp);
  }
  // Kafka's compaction leaves it as it was; but nothing is later than it says.
  if (maxTimestamp > batch.maxTimestamp) throw new Error('its max timestamp is wrong');
  return records.length;
}

function whyOf(cause: unknown): string {
  if (cause instanceof TablogError) return cause.happened;
  return errorMessage(cause);
}
