import { corruptBatch, unsupportedCodec } from './batch-error.ts';
import {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  FIELD,
  MAGIC,
  codecName,
  readInt64,
  viewOf,
} from './batch-format.ts';
import type { Codec } from './batch-format.ts';
import { wholeBatchBytes } from './batch-length.ts';

/** The size of a record with empty fields: its length, and six bytes more. */
const MIN_RECORD_BYTES = 7;

/**
 * One whole batch, read in place without a copy. The constructor checks the bounds in the header.
 */
export class RecordBatch {
  readonly #view: DataView;
  /** The batch's own bytes, a view into the buffer that was read. */
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly recordCount: number;
  readonly codec: Codec;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  /** The offset after the batch. It stays when compaction removes the last records. */
  readonly nextOffset: number;

  /** Throws `BATCH_CORRUPT` or `UNSUPPORTED_CODEC`. Does not check the CRC: see `crcMatches`. */
  constructor(bytes: Uint8Array) {
    const view = viewOf(bytes);
    this.bytes = bytes;
    this.#view = view;
    const magic = view.getInt8(FIELD.magic);
    if (magic !== MAGIC) throw corruptBatch(`its magic is ${magic}, and tablog reads ${MAGIC}`);
    this.baseOffset = safeInt64(view, FIELD.baseOffset, 'base offset');
    const lastOffsetDelta = view.getInt32(FIELD.lastOffsetDelta);
    this.recordCount = view.getInt32(FIELD.recordCount);
    const room = bytes.length - BATCH_HEADER_BYTES;
    if (this.recordCount < 0 || lastOffsetDelta < this.recordCount - 1) {
      throw corruptBatch(
        `its record count ${this.recordCount} does not fit its last offset delta ${lastOffsetDelta}`,
      );
    }
    const codec = codecName(this.attributes & ATTRIBUTE.codec);
    if (codec === undefined) {
      throw unsupportedCodec(`the unknown codec ${this.attributes & ATTRIBUTE.codec}`);
    }
    if (codec === 'none' && this.recordCount * MIN_RECORD_BYTES > room) {
      throw corruptBatch(`it counts ${this.recordCount} records in ${room} bytes`);
    }
    this.codec = codec;
    this.baseTimestamp = safeInt64(view, FIELD.baseTimestamp, 'base timestamp');
    this.maxTimestamp = safeInt64(view, FIELD.maxTimestamp, 'max timestamp');
    this.nextOffset = this.baseOffset + lastOffsetDelta + 1;
    if (!Number.isSafeInteger(this.nextOffset)) {
      throw corruptBatch(`its offsets go beyond JavaScript's safe integers`);
    }
  }

  get attributes(): number {
    return this.#view.getInt16(FIELD.attributes);
  }

  get isAppendTime(): boolean {
    return (this.attributes & ATTRIBUTE.appendTime) !== 0;
  }

  get isTransactional(): boolean {
    return (this.attributes & ATTRIBUTE.transactional) !== 0;
  }

  get isControl(): boolean {
    return (this.attributes & ATTRIBUTE.control) !== 0;
  }

  /**
   * Whether the batch is a gap: offsets without records, where a log file had no batch
   * (log/gap.ts).
   */
  get isGap(): boolean {
    return this.recordCount === 0 && (this.attributes & ATTRIBUTE.gap) !== 0;
  }

  get producerId(): number {
    return safeInt64(this.#view, FIELD.producerId, 'producer id');
  }

  get producerEpoch(): number {
    return this.#view.getInt16(FIELD.producerEpoch);
  }

  get baseSequence(): number {
    return this.#view.getInt32(FIELD.baseSequence);
  }

  /** The records' stored bytes, compressed unless `codec` is 'none'. */
  get recordBytes(): Uint8Array {
    return this.bytes.subarray(BATCH_HEADER_BYTES);
  }
}

/** Iterates over the batches that lie end to end in `bytes`. Ignores a partial batch at the end. */
export function* readBatches(bytes: Uint8Array): Generator<RecordBatch, void, undefined> {
  let at = 0;
  for (;;) {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) return;
    yield new RecordBatch(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Reads `bytes`, which must be exactly one batch, and checks its header. */
export function readSingleBatch(bytes: Uint8Array): RecordBatch {
  const size = wholeBatchBytes(bytes, 0);
  if (size !== bytes.length) {
    throw corruptBatch(
      `its length says ${size === undefined ? 'more than' : `${size} of`} the ${bytes.length} bytes there are`,
    );
  }
  return new RecordBatch(bytes);
}

function safeInt64(view: DataView, at: number, name: string): number {
  const value = readInt64(view, at);
  if (Number.isSafeInteger(value)) return value;
  throw corruptBatch(`its ${name} ${view.getBigInt64(at)} is beyond JavaScript's safe integers`);
}
