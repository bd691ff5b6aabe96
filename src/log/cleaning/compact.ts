import {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAX_INFLATED_BYTES,
  viewOf,
  writeInt64,
} from '../../record/batch-format.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import { placeBatch, sealBatch } from '../../record/batch-seal.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { compressBatch } from '../compress.ts';
import { MAX_BATCH_OFFSETS } from '../gap.ts';
import type { CompactionState, PartitionHead } from '../head.ts';
import { inflateRecords } from '../validate.ts';

/** Kafka's `min.cleanable.dirty.ratio`: clean when the dirty part is as large as the clean part. */
const MIN_DIRTY_RATIO = 0.5;

/** The bounds of the key map of one pass. Records beyond them are left to the next pass. */
const MAX_KEYS = 500_000;
const MAX_KEY_BYTES = 32 * 1024 * 1024;

/** The number of passes that the head remembers, to tell which tombstones have expired. */
const MAX_CLEANED = 8;

/** The newest offset of each key in a part of a partition. */
export class LatestOffsets {
  readonly #offsets = new Map<string, number>();
  #keyBytes = 0;

  /** Whether the map has reached a bound. */
  get isFull(): boolean {
    return this.#offsets.size >= MAX_KEYS || this.#keyBytes >= MAX_KEY_BYTES;
  }

  add(batch: RecordBatch): void {
    if (batch.isControl) return; // the key of a transaction marker is its type
    const cursor = cursorOf(batch);
    while (cursor.next()) {
      if (cursor.keyLength < 0) continue;
      const key = this.#keyOf(cursor);
      if (!this.#offsets.has(key)) this.#keyBytes += cursor.keyLength;
      this.#offsets.set(key, cursor.offset);
    }
  }

  /** Whether a later record has the same key. */
  hasLater(cursor: RecordCursor): boolean {
    if (cursor.keyLength < 0) return false; // appended before the topic was compacted
    return (this.#offsets.get(this.#keyOf(cursor)) ?? -1) > cursor.offset;
  }

  #keyOf({ bytes, keyAt, keyLength }: RecordCursor): string {
    return latin1(bytes.subarray(keyAt, keyAt + keyLength));
  }
}

let decoder: TextDecoder | undefined;

/** The bytes as text, one character a byte. `TextDecoder` is missing in Jest's jsdom. */
function latin1(bytes: Uint8Array): string {
  if (typeof TextDecoder === 'undefined') {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }
  decoder ??= new TextDecoder('latin1');
  return decoder.decode(bytes);
}

/** Whether there is enough to clean for a pass over the partition. */
export function isWorthCompacting(
  head: PartitionHead,
  deleteRetentionMs: number,
  now: number,
): boolean {
  const { compaction, bytes, endOffset } = head;
  if (servedTombstones(compaction, deleteRetentionMs, now) > compaction.tombstonesTo) return true;
  const dirtyBytes = bytes - compaction.cleanBytes;
  return endOffset > cleanedTo(head) && dirtyBytes >= bytes * MIN_DIRTY_RATIO;
}

/** The end of the clean part, in which no key has two records. */
export function cleanedTo({ compaction, startOffset }: PartitionHead): number {
  return Math.max(compaction.cleaned.at(-1)?.to ?? 0, startOffset);
}

/**
 * The offset before which tombstones have expired: each was the last record of its key for
 * `deleteRetentionMs`, which is time enough for consumers to have read it.
 */
export function servedTombstones(
  { cleaned, tombstonesTo }: CompactionState,
  deleteRetentionMs: number,
  now: number,
): number {
  const served = cleaned.filter(({ at }) => at + deleteRetentionMs <= now);
  return Math.max(served.at(-1)?.to ?? 0, tombstonesTo);
}

/** The state after a pass that cleaned up to `pass.to` and left `cleanBytes`. */
export function cleaned(
  state: CompactionState,
  pass: { readonly to: number; readonly at: number },
  cleanBytes: number,
  servedTo: number,
): CompactionState {
  const { cleaned: before } = state;
  if ((before.at(-1)?.to ?? 0) > pass.to) return state; // another broker has cleaned further
  const tombstonesTo = Math.max(servedTo, state.tombstonesTo);
  const later = before.filter(({ to }) => to > tombstonesTo);
  // Too many passes: every other one is forgotten, so that some tombstones stay longer.
  const kept = later.length < MAX_CLEANED ? later : later.filter((_, i) => i % 2 === 1);
  return { cleaned: [...kept, pass], cleanBytes, tombstonesTo };
}

/**
 * Removes records with a later record of the same key, and tombstones before `tombstonesTo`.
 * Offsets stay, and the batches cover the same range: neighbouring batches that lose all their
 * records become one header without records. Returns the very same array when no record was
 * removed.
 */
export function compactBatches(
  batches: readonly RecordBatch[],
  latest: LatestOffsets,
  tombstonesTo: number,
): readonly RecordBatch[] {
  const isDone = (cursor: RecordCursor): boolean =>
    latest.hasLater(cursor) || (cursor.valueLength < 0 && cursor.offset < tombstonesTo);
  const compacted: RecordBatch[] = [];
  for (const batch of batches) {
    const isKept = batch.recordCount === 0 || batch.isControl;
    const kept = isKept ? batch : withoutRecords(batch, isDone);
    const last = compacted.at(-1);
    if (kept.recordCount === 0 && last?.recordCount === 0 && canJoin(last, kept)) {
      // An export has emptied batches and leaves gaps out, so the joined batch has the header of
      // the emptied one.
      const header = last.isGap ? kept : last;
      compacted[compacted.length - 1] = emptyBatch(header, last.baseOffset, kept.nextOffset);
    } else {
      compacted.push(kept);
    }
  }
  const isSame =
    compacted.length === batches.length && compacted.every((batch, i) => batch === batches[i]);
  return isSame ? batches : compacted;
}

function canJoin(empty: RecordBatch, next: RecordBatch): boolean {
  return next.nextOffset - empty.baseOffset <= MAX_BATCH_OFFSETS;
}

/** The batch without the records that are done; the very same batch when none is. */
function withoutRecords(
  batch: RecordBatch,
  isDone: (cursor: RecordCursor) => boolean,
): RecordBatch {
  const cursor = cursorOf(batch);
  const kept: (readonly [from: number, to: number])[] = [];
  let size = 0;
  let maxTimestamp = -1;
  while (cursor.next()) {
    if (isDone(cursor)) continue;
    const { recordAt, recordEnd, timestamp } = cursor;
    kept.push([recordAt, recordEnd]);
    size += recordEnd - recordAt;
    maxTimestamp = Math.max(maxTimestamp, timestamp);
  }
  if (kept.length === batch.recordCount) return batch;
  if (kept.length === 0) return emptyBatch(batch, batch.baseOffset, batch.nextOffset);
  // Records have deltas to the batch's offset and time, which stay, so their bytes are copied.
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + size);
  let at = BATCH_HEADER_BYTES;
  for (const [from, to] of kept) {
    bytes.set(cursor.bytes.subarray(from, to), at);
    at += to - from;
  }
  writeHeader(bytes, batch, { recordCount: kept.length, maxTimestamp });
  const packed = compressBatch(bytes, batch.codec);
  sealBatch(packed);
  return new RecordBatch(packed);
}

/** A batch without records, from `baseOffset` up to `nextOffset`, with the header of `batch`. */
function emptyBatch(batch: RecordBatch, baseOffset: number, nextOffset: number): RecordBatch {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  writeHeader(bytes, batch, { recordCount: 0, maxTimestamp: batch.maxTimestamp });
  placeBatch(bytes, baseOffset);
  viewOf(bytes).setInt32(FIELD.lastOffsetDelta, nextOffset - baseOffset - 1);
  sealBatch(bytes);
  return new RecordBatch(bytes);
}

function writeHeader(
  bytes: Uint8Array,
  { bytes: original, attributes }: RecordBatch,
  { recordCount, maxTimestamp }: { readonly recordCount: number; readonly maxTimestamp: number },
): void {
  bytes.set(original.subarray(0, BATCH_HEADER_BYTES));
  const view = viewOf(bytes);
  view.setInt32(FIELD.batchLength, bytes.length - LENGTH_PREFIX_BYTES);
  view.setInt16(FIELD.attributes, attributes & ~ATTRIBUTE.codec);
  view.setInt32(FIELD.recordCount, recordCount);
  writeInt64(view, FIELD.maxTimestamp, maxTimestamp);
}

function cursorOf(batch: RecordBatch): RecordCursor {
  return new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
}
