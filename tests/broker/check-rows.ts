import { expect } from 'vitest';
import { SegmentsScrub } from '../../src/broker/partitions/segments-scrub.ts';
import type { PartitionHead } from '../../src/log/head.ts';
import { readBatches } from '../../src/record/batch-reader.ts';
import { crcMatches } from '../../src/record/batch-seal.ts';
import type { StoredSegment } from '../../src/store/store.ts';

/** The rows tile the partition with batches that are what was written, and the head counts them right. */
export function checkRows(head: PartitionHead, rows: readonly StoredSegment[]): void {
  const unmerged = rows.filter((row) => row.baseOffset >= head.unmerged.from);
  expect({
    bytes: head.bytes,
    segments: head.segments,
    rowsFrom: head.rowsFrom,
    unmerged: head.unmerged,
  }).toEqual({
    bytes: sizeOf(rows),
    segments: rows.length,
    rowsFrom: rows[0]?.baseOffset ?? head.endOffset,
    unmerged: { from: head.unmerged.from, rows: unmerged.length, bytes: sizeOf(unmerged) },
  });
  expect(head.rowsFrom).toBeLessThanOrEqual(head.startOffset);
  let next = head.rowsFrom;
  for (const row of rows) {
    if (row.baseOffset !== next) expect.fail(`a row begins at ${row.baseOffset}, not ${next}`);
    for (const batch of readBatches(new Uint8Array(row.bytes))) {
      if (batch.baseOffset !== next) expect.fail(`a batch is not at ${next}`);
      if (!crcMatches(batch.bytes)) expect.fail(`the CRC of the batch at ${next} is wrong`);
      next = batch.nextOffset;
    }
  }
  expect(next).toBe(head.endOffset);
  checkScrub(head, rows);
}

/** A scrub finds no fault where there is none. */
function checkScrub(head: PartitionHead, rows: readonly StoredSegment[]): void {
  const { topicId, partition } = head;
  const read = { head, segments: rows, nextBaseOffset: undefined };
  const scrub = new SegmentsScrub(read, { topicId, partition, store: '' }, null);
  for (const _ of scrub.steps());
  expect(scrub.result().faults).toEqual([]);
}

function sizeOf(rows: readonly StoredSegment[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
