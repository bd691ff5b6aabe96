import { corruptBatch } from '../../record/batch-error.ts';
import { readBatches } from '../../record/batch-reader.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { crcMatches } from '../../record/batch-seal.ts';
import type { PartitionHead } from '../head.ts';
import { SEGMENT_BYTES, packSegments } from '../segment.ts';
import type { Segment } from '../segment.ts';

/** Rows that follow each other, and what comes in their place: the same offsets, in other rows. */
export interface Rewrite {
  readonly old: readonly Segment[];
  readonly fresh: readonly Segment[];
}

/** Rows of less than this on average are worth merging; larger ones are stored well as they are. */
const SMALL_ROW_BYTES = SEGMENT_BYTES / 4;

/** So many rows are merged, however little is in them. */
const MANY_ROWS = 256;

/** The head after the rewrite; `mergedTo`: from where on rows are still to be merged. */
export function rewritten(
  head: PartitionHead,
  { old, fresh }: Rewrite,
  mergedTo: number = head.unmerged.from,
): PartitionHead {
  const { from, rows, bytes } = head.unmerged;
  const { compaction } = head;
  const cleanTo = compaction.cleaned.at(-1)?.to ?? 0;
  // What was merged with records that came later is not counted: at worst it is cleaned too soon.
  const cleanBytes =
    compaction.cleanBytes -
    bytesOf(old.filter(({ nextOffset }) => nextOffset <= cleanTo)) +
    bytesOf(fresh.filter(({ nextOffset }) => nextOffset <= cleanTo));
  const oldTail = old.filter(({ baseOffset }) => baseOffset >= from);
  const freshTail = fresh.filter(({ baseOffset }) => baseOffset >= mergedTo);
  return {
    ...head,
    bytes: head.bytes - bytesOf(old) + bytesOf(fresh),
    segments: head.segments - old.length + fresh.length,
    unmerged: {
      from: mergedTo,
      rows: rows - oldTail.length + freshTail.length,
      bytes: bytes - bytesOf(oldTail) + bytesOf(freshTail),
    },
    rewrites: head.rewrites + 1,
    compaction: { ...compaction, cleanBytes: Math.max(cleanBytes, 0) },
  };
}

export function bytesOf(rows: readonly { readonly bytes: ArrayBuffer }[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}

/** Whether the partition has small rows enough. */
export function isWorthMerging({ unmerged: { rows, bytes } }: PartitionHead): boolean {
  if (rows < 2) return false;
  return rows >= MANY_ROWS || (bytes >= SEGMENT_BYTES && bytes < rows * SMALL_ROW_BYTES);
}

/** The first of these rows as one, as many as fit; a single one stays as it is. */
export function mergeRows(rows: readonly Segment[]): Rewrite {
  let size = 0;
  const tooMany = rows.findIndex(({ bytes }) => (size += bytes.byteLength) > SEGMENT_BYTES);
  const old = tooMany === -1 ? rows : rows.slice(0, Math.max(tooMany, 1));
  return { old, fresh: packSegments(checkedBatches(old), old[0]!.baseOffset) };
}

/**
 * The batches of rows that follow each other. Throws `BATCH_CORRUPT` where they are not what was
 * written: then nobody is to write them again.
 */
export function checkedBatches(rows: readonly Segment[]): RecordBatch[] {
  const batches: RecordBatch[] = [];
  const [first] = rows;
  if (first === undefined) return batches;
  let next = first.baseOffset;
  for (const { baseOffset, bytes } of rows) {
    if (baseOffset !== next) throw corruptBatch(`a row begins at ${baseOffset}, not at ${next}`);
    for (const batch of readBatches(new Uint8Array(bytes))) {
      if (batch.baseOffset !== next) throw corruptBatch(`it is not at offset ${next}`);
      if (!crcMatches(batch.bytes)) throw corruptBatch('its CRC is wrong');
      batches.push(batch);
      next = batch.nextOffset;
    }
  }
  const end = rows.at(-1)!.nextOffset;
  if (next !== end) throw corruptBatch(`the rows end at ${next}, not at ${end}`);
  return batches;
}
