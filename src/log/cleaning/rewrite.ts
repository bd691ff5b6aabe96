import { corruptBatch } from '../../record/batch-error.ts';
import { readBatches } from '../../record/batch-reader.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { crcMatches } from '../../record/batch-seal.ts';
import type { PartitionHead } from '../head.ts';
import { SEGMENT_BYTES, packSegments } from '../segment.ts';
import type { Segment } from '../segment.ts';

/** Rows that follow each other, and their replacement: other rows with the same offsets. */
export interface Rewrite {
  readonly old: readonly Segment[];
  readonly fresh: readonly Segment[];
}

/** The average size of a row below which rows are merged. Chrome stores larger rows well. */
const SMALL_ROW_BYTES = SEGMENT_BYTES / 4;

/** The number of rows from which on rows are merged, even if they are tiny. */
const MANY_ROWS = 256;

/** The head after the rewrite. Rows from the offset `mergedTo` on are still to be merged. */
export function rewritten(
  head: PartitionHead,
  { old, fresh }: Rewrite,
  mergedTo: number = head.unmerged.from,
): PartitionHead {
  const { from, rows, bytes } = head.unmerged;
  const { compaction } = head;
  const cleanTo = compaction.cleaned.at(-1)?.to ?? 0;
  // A clean row merged with a dirty one does not count: at worst, the next pass comes too early.
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

/** Whether the partition has enough small rows. */
export function isWorthMerging({ unmerged: { rows, bytes } }: PartitionHead): boolean {
  if (rows < 2) return false;
  return rows >= MANY_ROWS || (bytes >= SEGMENT_BYTES && bytes < rows * SMALL_ROW_BYTES);
}

/** Merges as many of the first rows as fit into one. A single row stays as it is. */
export function mergeRows(rows: readonly Segment[]): Rewrite {
  let size = 0;
  const tooMany = rows.findIndex(({ bytes }) => (size += bytes.byteLength) > SEGMENT_BYTES);
  const old = tooMany === -1 ? rows : rows.slice(0, Math.max(tooMany, 1));
  return { old, fresh: packSegments(checkedBatches(old), old[0]!.baseOffset) };
}

/**
 * The first of these rows, up to the first gap, where rows were lost; and the offset at which the
 * rows go on. Each row is taken to end where the next one begins, and its batches show where it
 * ends.
 */
export function rowsBeforeGap(
  rows: readonly Segment[],
  end: number,
): { readonly rows: readonly Segment[]; readonly next: number } {
  for (const [i, row] of rows.entries()) {
    let nextOffset = row.baseOffset;
    for (const batch of readBatches(new Uint8Array(row.bytes))) nextOffset = batch.nextOffset;
    if (nextOffset >= row.nextOffset) continue;
    return { rows: [...rows.slice(0, i), { ...row, nextOffset }], next: row.nextOffset };
  }
  return { rows, next: end };
}

/**
 * The batches of rows that follow each other. Throws `BATCH_CORRUPT` for damaged bytes, because a
 * rewrite would give the damage a valid CRC.
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
