import { CONFLICT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { corruptBatch } from '../record/batch-error.ts';
import { placeBatch } from '../record/batch-seal.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { MAX_GAP_OFFSETS, gapBatches } from './gap.ts';
import type { PartitionHead } from './head.ts';
import { ProducerStates, REFUSED } from './producer-state.ts';
import type { Sequenced } from './producer-state.ts';
import { packSegments } from './segment.ts';
import type { Segment } from './segment.ts';
import { extendTimeIndex } from './time-index.ts';

/** A batch to be appended. */
export interface NewBatch {
  readonly batch: RecordBatch;
  /** Milliseconds since 1970; null unless the topic's `timestampType` is 'append'. */
  readonly appendTime: number | null;
  /** The batch is stored at this offset, or refused as `CONFLICT`; null: no condition. */
  readonly expectedOffset: number | null;
  /** The batch keeps its base offset; `expectedOffset` is then the end of the partition. */
  readonly keepsOffset?: boolean;
  /** What numbers the batch instead of its header; missing: its header does. */
  readonly sequenced?: Sequenced;
}

/** The place of a batch in the partition; of a retried batch, that of its first try. */
export interface LogAppendInfo {
  readonly baseOffset: number;
  readonly appendTime: number | null;
}

export interface Appended {
  readonly head: PartitionHead;
  readonly segments: readonly Segment[];
  /** The place of each batch, or the reason why it was not stored; in the order of the batches. */
  readonly results: readonly (LogAppendInfo | TablogError)[];
}

/**
 * Places `batches` at the end of the partition. Returns the segments and the head to be stored. A
 * retried batch is not stored again. A batch that is out of its producer's order or in conflict is
 * not stored at all.
 *
 * Pure but for the base offsets, which are written into the batches' own bytes.
 */
export function appendBatches(
  head: PartitionHead,
  batches: readonly NewBatch[],
  now: number,
): Appended {
  const producers = new ProducerStates(head.producers, now);
  const placed: RecordBatch[] = [];
  let next = head.endOffset;
  const results = batches.map((each) => {
    const { batch, appendTime, expectedOffset, keepsOffset, sequenced = batch } = each;
    const known = producers.find(sequenced);
    if (known instanceof TablogError) return known;
    if (known?.baseOffset === REFUSED) return conflict(head, expectedOffset, known.appendTime);
    if (known !== undefined) return { baseOffset: known.baseOffset, appendTime: known.appendTime };
    const baseOffset = keepsOffset ? batch.baseOffset : next;
    const isElsewhere = expectedOffset !== null && expectedOffset !== next;
    if (isElsewhere || baseOffset < next) {
      producers.remember(sequenced, REFUSED, next);
      return conflict(head, isElsewhere ? expectedOffset : baseOffset, next);
    }
    if (baseOffset - next > MAX_GAP_OFFSETS) {
      return corruptBatch(`it begins at ${baseOffset}, and the partition ends at ${next}`);
    }
    placed.push(...gapBatches(next, baseOffset));
    placeBatch(batch.bytes, baseOffset);
    // The batch still has the producer's base offset: only the distance of the two offsets counts.
    next = baseOffset + batch.nextOffset - batch.baseOffset;
    producers.remember(sequenced, baseOffset, appendTime);
    placed.push(batch);
    return { baseOffset, appendTime };
  });
  return { ...storeBatches(head, placed, producers), results };
}

/** The segments of batches that have their base offsets, and the head to be stored with them. */
export function storeBatches(
  head: PartitionHead,
  batches: readonly RecordBatch[],
  producers: ProducerStates,
): Omit<Appended, 'results'> {
  const segments = packSegments(batches, head.endOffset);
  let { bytes, endOffset, timeIndex } = head;
  let i = 0;
  for (const { baseOffset, nextOffset, bytes: row } of segments) {
    let maxTimestamp = -1;
    for (; endOffset < nextOffset; i++) {
      const batch = batches[i]!;
      endOffset += batch.nextOffset - batch.baseOffset;
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp);
    }
    timeIndex = extendTimeIndex(timeIndex, baseOffset, maxTimestamp, row.byteLength);
    bytes += row.byteLength;
  }
  const { rows, bytes: tailBytes, from } = head.unmerged;
  return {
    head: {
      ...head,
      endOffset,
      bytes,
      segments: head.segments + segments.length,
      unmerged: { from, rows: rows + segments.length, bytes: tailBytes + bytes - head.bytes },
      timeIndex,
      producers: producers.toRows(),
    },
    segments,
  };
}

function conflict(
  { partition }: PartitionHead,
  expectedOffset: number | null,
  endOffset: number | null,
): TablogError {
  return new TablogError(
    CONFLICT,
    `the next offset of partition ${partition} is ${endOffset}, not ${expectedOffset}`,
    { details: { partition, expectedOffset, endOffset } },
  );
}
