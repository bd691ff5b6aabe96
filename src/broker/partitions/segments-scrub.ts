import { LOG_CORRUPT } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { headOf } from '../../log/head.ts';
import type { LocatedPartition, PartitionHead } from '../../log/head.ts';
import { producersFit } from '../../log/producer-state.ts';
import { lookUpTime } from '../../log/time-index.ts';
import { inflateRecords } from '../../log/validate.ts';
import type { FoundFault, ScrubCursor, ScrubbedRows, SeenRows } from '../../protocol/scrub.ts';
import { corruptBatch } from '../../record/batch-error.ts';
import { FIELD, MAX_INFLATED_BYTES, readInt64, viewOf } from '../../record/batch-format.ts';
import { wholeBatchBytes } from '../../record/batch-length.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import { crcMatches } from '../../record/batch-seal.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import type { SegmentsRead, StoredSegment } from '../../store/store.ts';

/**
 * The check of some rows of a partition, that were read with its head as of one moment. So appends,
 * retention, compaction and merging between two such reads are never taken for a fault:
 *
 * - the rows and their batches follow each other without a gap, from the head's first row up to its
 *   end offset;
 * - each batch has the CRC that it was sealed with, and every record of it can be read;
 * - the head's time index covers each batch, its producers fit, and its totals are those of the
 *   rows. The totals are compared unless rows were replaced during the check of the partition.
 */
export class SegmentsScrub {
  readonly #read: SegmentsRead;
  readonly #head: PartitionHead;
  readonly #cursor: ScrubCursor | null;
  readonly #faults: FoundFault[] = [];
  #batches = 0;
  #records = 0;
  #bytes = 0;

  /** Throws `UNKNOWN_TOPIC` or `LOG_CORRUPT` where the partition has no head. */
  constructor(read: SegmentsRead, of: LocatedPartition, cursor: ScrubCursor | null) {
    this.#read = read;
    this.#head = headOf(read.head, of);
    this.#cursor = cursor;
  }

  /** Checks the rows; a step is one batch, or one row at fault. */
  *steps(): Generator<void, void, undefined> {
    const { segments, nextBaseOffset } = this.#read;
    const { rowsFrom, endOffset } = this.#head;
    if (this.#cursor === null) this.#checkHead();
    let next = Math.max(this.#cursor?.offset ?? rowsFrom, rowsFrom);
    for (const [i, row] of segments.entries()) {
      const { baseOffset } = row;
      const end = segments[i + 1]?.baseOffset ?? nextBaseOffset ?? endOffset;
      yield;
      if (baseOffset > next) this.#lost(next, Math.min(baseOffset, endOffset));
      if (this.#isOutside(baseOffset)) this.#stray(baseOffset, Math.max(end, baseOffset));
      else yield* this.#checkRow(row, Math.min(end, endOffset), next);
      next = Math.max(next, end);
    }
    if (nextBaseOffset === undefined) this.#lost(next, endOffset);
  }

  /** The result, once all steps are done. */
  result(): ScrubbedRows {
    const seen = this.#faults.length > 0 ? null : this.#seen();
    const { nextBaseOffset: offset } = this.#read;
    const { rewrites, endOffset } = this.#head;
    if (offset === undefined && seen !== null) this.#checkTotals(seen);
    const until = this.#cursor?.until ?? endOffset;
    const isDone = offset === undefined || offset >= until;
    return {
      batches: this.#batches,
      records: this.#records,
      bytes: this.#bytes,
      faults: this.#faults,
      next: isDone ? null : { offset, until, rewrites, seen },
    };
  }

  *#checkRow(row: StoredSegment, end: number, from: number): Generator<void, void, undefined> {
    const bytes = new Uint8Array(row.bytes);
    let expected = row.baseOffset;
    for (let at = 0; at < bytes.length;) {
      yield;
      let batch: RecordBatch;
      try {
        batch = batchAt(bytes, at, expected);
      } catch (error) {
        this.#fault(error, expected, end);
        return; // without its length, where the next batch begins is unknown
      }
      at += batch.bytes.length;
      expected = batch.nextOffset;
      // A row that was rewritten since the last read can begin with batches that were checked then.
      if (expected <= from) continue;
      const error = this.#faultOf(batch);
      if (error === undefined) {
        this.#batches++;
        this.#records += batch.recordCount;
        this.#bytes += batch.bytes.length;
        continue;
      }
      const follows = at < bytes.length ? baseOffsetAt(bytes, at) : end;
      this.#fault(error, batch.baseOffset, follows === expected ? expected : end);
      if (follows !== expected) return;
    }
    if (bytes.length === 0) this.#fault(corruptBatch('its row has no bytes'), expected, end);
    else if (expected < end) this.#lost(expected, end);
    else if (expected > end) {
      const error = corruptBatch(`its row ends at ${end}, and its batches at ${expected}`);
      this.#fault(error, end, expected);
    }
  }

  #faultOf(batch: RecordBatch): TablogError | undefined {
    try {
      if (!crcMatches(batch.bytes)) throw corruptBatch('its CRC is wrong');
      checkRecords(batch);
      this.#checkTime(batch);
      return undefined;
    } catch (error) {
      if (error instanceof TablogError) return error;
      throw error;
    }
  }

  /** The head's time index leads to the batch, or before it, for the newest time in the batch. */
  #checkTime({ maxTimestamp, nextOffset }: RecordBatch): void {
    const { timeIndex, startOffset } = this.#head;
    if (maxTimestamp < 0 || nextOffset <= startOffset) return; // deleted records are not in it
    const found = lookUpTime(timeIndex, maxTimestamp);
    if (found !== undefined && found < nextOffset) return;
    throw this.#corrupt("the head's time index does not lead to its newest time");
  }

  #checkHead(): void {
    const { rowsFrom, startOffset, endOffset, producers } = this.#head;
    if (rowsFrom > startOffset) {
      const happened = `the head's first row is at ${rowsFrom}, after the start, ${startOffset}`;
      this.#fault(this.#corrupt(happened), startOffset, Math.min(rowsFrom, endOffset));
    }
    if (producersFit(producers, endOffset)) return;
    this.#fault(this.#corrupt("the head's producers are not what was written"), null, null);
  }

  #checkTotals({ rows, bytes }: SeenRows): void {
    const head = this.#head;
    if (rows === head.segments && bytes === head.bytes) return;
    const happened = `the head counts ${head.segments} rows of ${head.bytes} bytes, and there are ${rows} of ${bytes}`;
    this.#fault(this.#corrupt(happened), null, null);
  }

  /** The rows so far; null: rows were replaced, or were at fault. */
  #seen(): SeenRows | null {
    const { segments } = this.#read;
    const cursor = this.#cursor;
    const before = cursor === null ? { rows: 0, bytes: 0 } : cursor.seen;
    const { rewrites } = this.#head;
    if (before === null || rewrites !== (cursor?.rewrites ?? rewrites)) return null;
    const bytes = segments.reduce((sum, row) => sum + row.bytes.byteLength, before.bytes);
    return { rows: before.rows + segments.length, bytes };
  }

  /** Whether no row can have this base offset. */
  #isOutside(baseOffset: number): boolean {
    const { rowsFrom, endOffset } = this.#head;
    return !Number.isSafeInteger(baseOffset) || baseOffset < rowsFrom || baseOffset >= endOffset;
  }

  #stray(baseOffset: number, end: number): void {
    const { rowsFrom, endOffset } = this.#head;
    const happened = `a row is at ${baseOffset}, and the head's rows are of ${rowsFrom} to ${endOffset}`;
    this.#fault(this.#corrupt(happened), baseOffset, end);
  }

  #lost(from: number, to: number): void {
    if (from >= to) return;
    this.#fault(this.#corrupt(`the records ${from} to ${to - 1} are gone`), from, to);
  }

  #corrupt(happened: string): TablogError {
    return new TablogError(LOG_CORRUPT, `${happened} (partition ${this.#head.partition})`);
  }

  #fault(error: unknown, from: number | null, to: number | null): void {
    if (!(error instanceof TablogError)) throw error;
    this.#faults.push({ from, to, code: error.code, message: error.message });
  }
}

/** The batch at `at`. Throws the error of bytes that are not a whole batch at this offset. */
function batchAt(bytes: Uint8Array, at: number, expected: number): RecordBatch {
  const size = wholeBatchBytes(bytes, at);
  if (size === undefined) throw corruptBatch('its row ends within it');
  const batch = new RecordBatch(bytes.subarray(at, at + size));
  if (batch.baseOffset === expected) return batch;
  throw corruptBatch(`its base offset is ${batch.baseOffset}, not ${expected}`);
}

function baseOffsetAt(bytes: Uint8Array, at: number): number | undefined {
  return bytes.length - at < 8 ? undefined : readInt64(viewOf(bytes), at + FIELD.baseOffset);
}

/** Reads every record. Throws `BATCH_CORRUPT`, `INFLATED_TOO_LARGE` or `UNSUPPORTED_CODEC`. */
function checkRecords(batch: RecordBatch): void {
  // Compaction has emptied the batch, or the batch is a gap.
  if (batch.recordCount === 0 && batch.recordBytes.length === 0) return;
  const cursor = new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
  let expected = batch.baseOffset;
  while (cursor.next()) {
    if (cursor.offset < expected) throw corruptBatch('its offsets are out of order');
    expected = cursor.offset + 1;
  }
}
