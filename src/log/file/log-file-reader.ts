import { INVALID_LOG_FILE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { FIELD, MAX_INFLATED_BYTES, readInt64, viewOf } from '../../record/batch-format.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import { crcMatches } from '../../record/batch-seal.ts';
import { gapBatches } from '../gap.ts';
import {
  checkBaseOffset,
  checkCut,
  checkRecords,
  findBatch,
  isPadding,
  tornBytes,
} from './log-file-batch.ts';
import { LogFileFault, invalidLogFile } from './log-file-error.ts';
import type { LogFilePlace } from './log-file-error.ts';
import { OpenTransactions } from './open-transactions.ts';
import { inflateRecords } from '../validate.ts';

/** The most inflated bytes of all files: an import of more would take minutes. */
const MAX_FILE_INFLATED_BYTES = 4 * 1024 ** 3;

const LATER = 'Nothing was imported: pass the next segments too, in which the transactions end.';

/** The parts of log files that are not stored. */
export interface LeftOut {
  readonly abortedRecords: number;
  readonly openRecords: number;
  readonly paddingBytes: number;
  readonly truncatedBytes: number;
}

/** The batches of log files that are stored, and the account of the rest. */
export interface LogFileContents {
  /** In order, tiling the range of the import. */
  readonly batches: readonly RecordBatch[];
  readonly records: number;
  readonly leftOut: LeftOut | undefined;
}

interface Segment {
  readonly bytes: Uint8Array;
  /** The file's number in the order given. */
  readonly file: number;
}

/**
 * Reads the segments of one partition as a broker leaves them on its disk: with gaps from
 * compaction, markers of transactions, and an end that was being written.
 *
 * Of transactions only committed ones are kept. Markers are kept as well, so the kept batches mean
 * the same without the others.
 */
export class LogFileReader {
  readonly #segments: readonly Segment[];
  readonly #files: number;
  readonly #transactions = new OpenTransactions();
  readonly #batches: RecordBatch[] = [];
  readonly #aborted = new Set<RecordBatch>();
  /** The offset after the last batch. */
  #next: number | undefined;
  /** The offsets before `#next` that no batch covers. */
  #gaps = 0;
  #inflatedBytes = 0;
  #paddingBytes = 0;
  #truncatedBytes = 0;

  /** `sizes`: of the files that lie in `bytes` end to end, in any order of their offsets. */
  constructor(bytes: Uint8Array, sizes: readonly number[]) {
    let at = 0;
    const segments = sizes.map((size, file) => {
      at += size;
      return { bytes: bytes.subarray(at - size, at), file };
    });
    this.#files = sizes.length;
    this.#segments = segments
      .filter((segment) => !this.#isPadding(segment))
      .sort((a, b) => firstOffset(a) - firstOffset(b));
  }

  /** The bytes of each segment that has any, in the order of their offsets. */
  get segments(): readonly Uint8Array[] {
    return this.#segments.map(({ bytes }) => bytes);
  }

  /** Checks every batch, one a step. Throws `INVALID_LOG_FILE`. */
  *read(): Generator<void, void, undefined> {
    const last = this.#segments.at(-1);
    for (const segment of this.#segments) {
      const { bytes, file } = segment;
      for (let at = 0; at < bytes.length;) {
        const place: LogFilePlace = { bytes, file, files: this.#files, at };
        try {
          const size = this.#readBatch(place, segment === last);
          if (size === undefined) break;
          at += size;
        } catch (cause) {
          throw invalidLogFile(place, cause);
        }
        yield;
      }
    }
  }

  /** The batches to store, once all are read. Throws `INVALID_LOG_FILE` where there are none. */
  finish(): LogFileContents {
    const end = this.#next;
    if (end === undefined) throw this.#empty();
    const open = new Set(this.#transactions.batches);
    const kept = this.#batches.filter(
      (batch) => !this.#aborted.has(batch) && !open.has(batch) && !batch.isGap,
    );
    const leftOut: LeftOut = {
      abortedRecords: countOf([...this.#aborted]),
      openRecords: countOf([...open]),
      paddingBytes: this.#paddingBytes,
      truncatedBytes: this.#truncatedBytes,
    };
    const [first] = kept;
    if (first === undefined) {
      const happened = `of its ${leftOut.openRecords} records none is known to be committed`;
      const details = { ...leftOut };
      throw new TablogError({ ...INVALID_LOG_FILE, next: LATER }, happened, { details });
    }
    let next = first.baseOffset;
    const batches: RecordBatch[] = [];
    for (const batch of kept) {
      batches.push(...gapBatches(next, batch.baseOffset), batch);
      next = batch.nextOffset;
    }
    batches.push(...gapBatches(next, end));
    const isAnything = Object.values(leftOut).some((count) => count > 0);
    return { batches, records: countOf(kept), leftOut: isAnything ? leftOut : undefined };
  }

  /**
   * Checks and keeps the batch at a place; returns its size, or `undefined` where no batch follows.
   */
  #readBatch(place: LogFilePlace, isLast: boolean): number | undefined {
    const left = place.bytes.length - place.at;
    if (isPadding(place)) {
      this.#paddingBytes += left;
      return undefined;
    }
    const torn = isLast && this.#next !== undefined ? tornBytes(place) : undefined;
    if (torn !== undefined) {
      this.#truncatedBytes = torn;
      this.#paddingBytes += left - torn;
      return undefined;
    }
    const found = findBatch(place);
    if (found === undefined) {
      checkCut(place, isLast ? this.#next : undefined);
      this.#truncatedBytes = left;
      return undefined;
    }
    this.#gaps += checkBaseOffset(place, this.#next, this.#gaps);
    const batch = new RecordBatch(found);
    if (!crcMatches(found)) throw new LogFileFault('its CRC is wrong');
    const records = inflateRecords(batch, MAX_INFLATED_BYTES);
    checkRecords(batch, records);
    this.#inflatedBytes += records.length;
    if (this.#inflatedBytes > MAX_FILE_INFLATED_BYTES) {
      const happened = `up to here it has more than ${MAX_FILE_INFLATED_BYTES} bytes, inflated`;
      throw new LogFileFault(happened);
    }
    this.#batches.push(batch);
    this.#next = batch.nextOffset;
    for (const aborted of this.#transactions.add(batch)) this.#aborted.add(aborted);
    return found.length;
  }

  /**
   * Whether the segment has no batch, as a new or preallocated one: such a segment has no place
   * among the others.
   */
  #isPadding({ bytes }: Segment): boolean {
    const isPadding = bytes.every((byte) => byte === 0);
    if (isPadding) this.#paddingBytes += bytes.length;
    return isPadding;
  }

  #empty(): TablogError {
    const zeros = `the file has ${this.#paddingBytes} zeros, and no batch`;
    return new TablogError(INVALID_LOG_FILE, this.#paddingBytes > 0 ? zeros : 'the file is empty');
  }
}

/**
 * The segment's first base offset, which orders the segments. Throws for less than an offset's
 * bytes.
 */
function firstOffset({ bytes }: Segment): number {
  return bytes.length < FIELD.batchLength ? -1 : readInt64(viewOf(bytes), FIELD.baseOffset);
}

function countOf(batches: readonly RecordBatch[]): number {
  return batches.reduce((sum, batch) => sum + (batch.isControl ? 0 : batch.recordCount), 0);
}
