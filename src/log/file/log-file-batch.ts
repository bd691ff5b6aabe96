import {
  BATCH_HEADER_BYTES,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAGIC,
  viewOf,
} from '../../record/batch-format.ts';
import { wholeBatchBytes } from '../../record/batch-length.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { crcMatches } from '../../record/batch-seal.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { MAX_GAP_OFFSETS } from '../gap.ts';
import { LogFileFault } from './log-file-error.ts';
import type { LogFilePlace } from './log-file-error.ts';

/** The bound of imported offsets. 2^52 leaves as many offsets for records sent after the import. */
const MAX_END_OFFSET = 2 ** 52;

/** The newest format before record batches. A message set has its magic at the same place. */
const LAST_OLD_MAGIC = 1;
const MIN_MESSAGE_LENGTH = 14;

/**
 * The zeros at the end of a batch that tell a torn one, if only zeros follow it and its CRC is
 * wrong.
 */
const TORN_BYTES = 8;

const OLD_FORMAT =
  'Nothing was imported: have Kafka write the records anew, with a consumer and a producer to another topic.';

const TOO_FAR =
  'Nothing was imported: have Kafka copy the records to a new topic first, whose offsets begin at 0.';

const ONCE = 'Nothing was imported: pass each segment once, as one broker wrote it.';

/**
 * The batch at a place; `undefined` where its end is missing. Throws for bytes that are no batch.
 */
export function findBatch(place: LogFilePlace): Uint8Array | undefined {
  const { bytes, at } = place;
  checkFormat(place);
  const size = wholeBatchBytes(bytes, at);
  return size === undefined ? undefined : bytes.subarray(at, at + size);
}

/**
 * Whether only zeros follow, and at least as many as an offset has: fewer may be the beginning of
 * one.
 */
export function isPadding({ bytes, at }: LogFilePlace): boolean {
  const left = bytes.subarray(at);
  return left.length >= FIELD.batchLength && isZero(left);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Checks the magic first, because all other fields are elsewhere in other formats. */
function checkFormat({ bytes, at }: LogFilePlace): void {
  const left = bytes.length - at;
  if (left <= FIELD.magic) return;
  const view = viewOf(bytes);
  const magic = view.getInt8(at + FIELD.magic);
  if (magic === MAGIC) return;
  const length = view.getInt32(at + FIELD.batchLength);
  if (length > left - LENGTH_PREFIX_BYTES) throw cutShort(bytes, at);
  if (length >= MIN_MESSAGE_LENGTH && magic >= 0 && magic <= LAST_OLD_MAGIC) {
    const happened = `it is of message format ${magic}, of Kafka before 0.11, and tablog reads ${MAGIC}`;
    throw new LogFileFault(happened, OLD_FORMAT);
  }
  throw new LogFileFault(`its magic is ${magic}, and tablog reads ${MAGIC}`);
}

/**
 * Throws where a batch whose end is missing cannot be the last one of an active segment. `next` is
 * the lowest offset that such a batch can have; `undefined`: no batch may be cut off here.
 */
export function checkCut({ bytes, at }: LogFilePlace, next: number | undefined): void {
  const hasOffset = at + FIELD.batchLength <= bytes.length;
  const isNext = !hasOffset || viewOf(bytes).getBigInt64(at) >= BigInt(next ?? 0);
  if (next === undefined || !isNext) throw cutShort(bytes, at);
}

function cutShort(bytes: Uint8Array, at: number): LogFileFault {
  const left = bytes.length - at;
  if (left < BATCH_HEADER_BYTES) {
    return new LogFileFault(`${left} bytes are left, less than any batch has`);
  }
  const claimed = viewOf(bytes).getInt32(at + FIELD.batchLength) + LENGTH_PREFIX_BYTES;
  return new LogFileFault(
    `by its header it has ${claimed} bytes, and ${left} are left in the file`,
  );
}

/**
 * The size of a torn batch: the last one of a preallocated segment, with zeros after what the
 * broker had written. `undefined`: the batch is whole, or damaged otherwise.
 */
export function tornBytes({ bytes, at }: LogFilePlace): number | undefined {
  if (bytes.length - at < LENGTH_PREFIX_BYTES) return undefined;
  const length = viewOf(bytes).getInt32(at + FIELD.batchLength);
  const end = at + LENGTH_PREFIX_BYTES + length;
  if (length < 0 || end > bytes.length) return undefined;
  if (!isZero(bytes.subarray(Math.max(end - TORN_BYTES, at + FIELD.batchLength)))) return undefined;
  const batch = bytes.subarray(at, end);
  return batch.length < BATCH_HEADER_BYTES || !crcMatches(batch) ? batch.length : undefined;
}

/**
 * The number of offsets that are missing before the batch. Throws where the batch's base offset is
 * impossible at its place. `gaps`: the offsets that are missing before `next`.
 */
export function checkBaseOffset(
  { bytes, at, file }: LogFilePlace,
  next: number | undefined,
  gaps: number,
): number {
  const offset = viewOf(bytes).getBigInt64(at + FIELD.baseOffset);
  if (offset < 0n) throw new LogFileFault(`it begins at offset ${offset}`);
  if (offset > BigInt(MAX_END_OFFSET)) {
    throw new LogFileFault(`it begins at offset ${offset}, beyond 2^52`, TOO_FAR);
  }
  if (next === undefined) return 0;
  if (offset < BigInt(next)) {
    const happened = `it begins at offset ${offset}, not at ${next} or later`;
    throw new LogFileFault(happened, at === 0 && file > 0 ? ONCE : undefined);
  }
  const gap = Number(offset) - next;
  if (gaps + gap > MAX_GAP_OFFSETS) {
    const place = `it begins at offset ${offset}, and the one before ends at ${next}`;
    const before = gaps === 0 ? '' : `, and ${gaps} offsets are missing before that`;
    throw new LogFileFault(`${place}${before}: no compaction leaves gaps of over 2^40`);
  }
  return gap;
}

/** Throws what is wrong with the inflated records of a batch. */
export function checkRecords(batch: RecordBatch, records: Uint8Array): void {
  if (batch.nextOffset > MAX_END_OFFSET) {
    throw new LogFileFault(`it ends at offset ${batch.nextOffset}, beyond 2^52`, TOO_FAR);
  }
  const cursor = new RecordCursor(batch, records);
  let last = batch.baseOffset - 1;
  let maxTimestamp = -1;
  while (cursor.next()) {
    if (cursor.offset <= last) throw new LogFileFault('its offsets are out of order');
    last = cursor.offset;
    maxTimestamp = Math.max(maxTimestamp, cursor.timestamp);
  }
  // Kafka's compaction keeps the header's max timestamp, so no record is later than the header
  // says.
  if (maxTimestamp > batch.maxTimestamp) throw new LogFileFault('its max timestamp is wrong');
}
