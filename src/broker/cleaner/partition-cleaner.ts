import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { OFFSET_OUT_OF_RANGE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import {
  LatestOffsets,
  cleaned,
  cleanedTo,
  compactBatches,
  isWorthCompacting,
  servedTombstones,
} from '../../log/cleaning/compact.ts';
import { headOf, headRef, startedAt } from '../../log/head.ts';
import type { LocatedPartition, PartitionHead } from '../../log/head.ts';
import { rowsBeyond } from '../../log/cleaning/retention.ts';
import type { BelievedTime } from '../../log/cleaning/retention.ts';
import {
  bytesOf,
  checkedBatches,
  isWorthMerging,
  mergeRows,
  rewritten,
  rowsBeforeGap,
} from '../../log/cleaning/rewrite.ts';
import type { Rewrite } from '../../log/cleaning/rewrite.ts';
import { SEGMENT_BYTES, packSegments, rowsUpTo } from '../../log/segment.ts';
import type { Segment } from '../../log/segment.ts';
import { markAhead } from '../../log/time-index.ts';
import { loadCodecsFor } from '../../record/compression/codecs.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { TendedStore } from '../../store/paced-store.ts';
import type { SegmentsRequest, Writer } from '../../store/store.ts';

/** Rows that were read together, with the head at that time. */
interface Rows {
  readonly head: PartitionHead;
  readonly rows: readonly Segment[];
  /** The offset after the last row; without rows, the offset at which the next row would begin. */
  readonly end: number;
}

/**
 * The bounds of one reading transaction. A browser serves no other transaction during a read, and a
 * read of 128 KiB takes about as long as an append.
 */
export const READ_SLICE: Pick<SegmentsRequest, 'maxBytes' | 'maxRows'> = {
  maxBytes: 128 * 1024,
  maxRows: 32,
};

/** The bounds of one replacing transaction, whose time depends mostly on the number of rows. */
const STEP_BYTES = 256 * 1024;
const STEP_ROWS = 256;

/** The bound of one step of compaction, which blocks the broker's thread. */
const MAX_CLEANED_BYTES = 512 * 1024;

/**
 * Keeps one partition small: moves its log start offset, deletes the rows before it, compacts, and
 * merges small rows. Each step is a transaction of its own, and changes nothing if another broker
 * was faster. So cleaning can stop at any point, and several brokers can clean at once.
 */
export class PartitionCleaner {
  readonly #store: TendedStore;
  readonly #partition: LocatedPartition;

  constructor(store: TendedStore, partition: LocatedPartition) {
    this.#store = store;
    this.#partition = partition;
  }

  async head(): Promise<PartitionHead> {
    const [head] = await this.#store.read([headRef(this.#partition.store)]);
    return this.#mustBeOurs(head);
  }

  /**
   * The head, with marks at the timestamps that are ahead of a clock that says `now`
   * (log/cleaning/retention.ts).
   */
  async notedHead(now: number): Promise<PartitionHead> {
    const seen = await this.head();
    if (markAhead(seen.timeIndex, now) === seen.timeIndex) return seen;
    const { store } = this.#partition;
    return this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const noted = { ...head, timeIndex: markAhead(head.timeIndex, now) };
      write.put(store, HEAD_KEY, noted);
      return noted;
    });
  }

  /** Moves the log start offset up to `to`; returns it. Throws `OFFSET_OUT_OF_RANGE`. */
  async moveStart(to: number): Promise<number> {
    const { store, partition } = this.#partition;
    return this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const { startOffset, endOffset } = head;
      mustNotPassEnd({ topicId: head.topicId, partition, startOffset, endOffset }, to);
      if (to <= startOffset) return startOffset;
      write.put(store, HEAD_KEY, startedAt(head, to));
      return to;
    });
  }

  /** Deletes the rows that lie before the log start offset. */
  async sweep(): Promise<void> {
    let head = await this.head();
    while (head.rowsFrom < head.startOffset) {
      const { rows } = await this.#rowsAt(head.rowsFrom, SEGMENT_BYTES);
      const old = rows.filter(({ nextOffset }) => nextOffset <= head.startOffset);
      if (old.length === 0) return;
      const rowsFrom = old.at(-1)!.nextOffset;
      if (!(await this.#replace(head, { old, fresh: [] }, { rowsFrom }))) return;
      head = await this.head();
    }
  }

  /** Deletes the oldest rows while at least `maxBytes` stay; returns whether it deleted any. */
  async fit(maxBytes: number, protectedFrom: number): Promise<boolean> {
    let isTrimmed = false;
    for (;;) {
      const head = await this.head();
      if (head.bytes <= maxBytes) return isTrimmed;
      const { rows } = await this.#rowsAt(head.rowsFrom, SEGMENT_BYTES);
      const old = rows.slice(0, rowsBeyond(head.bytes, maxBytes, rows, protectedFrom));
      if (old.length === 0) return isTrimmed;
      const to = old.at(-1)!.nextOffset;
      const change = { rowsFrom: to, startOffset: to };
      if (!(await this.#replace(head, { old, fresh: [] }, change))) return isTrimmed;
      isTrimmed = true;
    }
  }

  /** The oldest row, which retention deletes first. */
  async oldestRow(): Promise<Segment | undefined> {
    const { rowsFrom } = await this.head();
    return (await this.#rowsAt(rowsFrom, 1)).rows[0];
  }

  /** Runs a pass of compaction if there is enough to clean; returns whether it removed records. */
  async compact(deleteRetentionMs: number, now: BelievedTime): Promise<boolean> {
    const before = await this.head();
    let isReplaced = false;
    const began = now();
    if (began === undefined || !isWorthCompacting(before, deleteRetentionMs, began)) {
      return isReplaced;
    }
    const tombstonesTo = servedTombstones(before.compaction, deleteRetentionMs, began);
    const { latest, to } = await this.#latest(cleanedTo(before), before.endOffset);
    let cleanBytes = 0;
    for (let from = before.rowsFrom; from < to;) {
      const read = await this.#rowsAt(from, MAX_CLEANED_BYTES);
      const { head } = read;
      const { rows, next } = rowsBeforeGap(read.rows, read.end);
      if (rows.length === 0) break;
      await this.#loadCodecs(rows);
      const batches = checkedBatches(rows);
      const compacted = compactBatches(batches, latest, tombstonesTo);
      const fresh = packSegments(compacted, rows[0]!.baseOffset);
      cleanBytes += bytesOf(fresh.filter(({ nextOffset }) => nextOffset <= to));
      if (compacted !== batches) {
        if (!(await this.#replace(head, { old: rows, fresh }))) return isReplaced;
        isReplaced = true;
      }
      from = next; // rows may reach beyond `to`: `latest` has none of the records there
    }
    const { store } = this.#partition;
    await this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const at = now(); // the end of the pass, because a pass can take long
      if (at === undefined) return; // without a trusted clock, tombstones of this pass have no age
      const pass = { to, at };
      const compaction = cleaned(head.compaction, pass, cleanBytes, tombstonesTo);
      write.put(store, HEAD_KEY, { ...head, compaction });
    });
    return isReplaced;
  }

  /** Merges small rows into rows of up to 1 MiB. */
  async merge(): Promise<void> {
    for (;;) {
      const head = await this.head();
      if (!isWorthMerging(head)) return;
      const { from } = head.unmerged;
      const { rows } = await this.#rowsAt(Math.max(from, head.rowsFrom), SEGMENT_BYTES);
      if (rows.length === 0) return;
      const rewrite = mergeRows(rows);
      const { baseOffset, nextOffset, bytes } = rewrite.fresh.at(-1)!;
      // A merged row that is still small is merged once more, with later rows.
      const isSmall = rewrite.old.length > 1 && bytes.byteLength < SEGMENT_BYTES / 2;
      const mergedTo = isSmall ? baseOffset : nextOffset;
      if (!(await this.#replace(head, rewrite, {}, mergedTo))) return;
    }
  }

  /**
   * The last offset of each key in the offsets from `from` up to the returned `to`, which is `end`,
   * or where the map is full.
   */
  async #latest(from: number, end: number): Promise<{ latest: LatestOffsets; to: number }> {
    const latest = new LatestOffsets();
    let to = from;
    while (to < end && !latest.isFull) {
      const read = await this.#sliceAt(to);
      const { rows, next } = rowsBeforeGap(read.rows, read.end);
      await this.#loadCodecs(rows);
      for (const batch of checkedBatches(rows)) latest.add(batch);
      to = next;
    }
    return { latest, to };
  }

  /** Loads the codecs that the batches of these rows are compressed with. */
  async #loadCodecs(rows: readonly Segment[]): Promise<void> {
    const { topicId, partition } = this.#partition;
    for (const { bytes } of rows) {
      await loadCodecsFor(new Uint8Array(bytes), { topicId, partition });
    }
  }

  /**
   * The row that covers `from` and later rows, up to about `maxBytes` and to the bounds of one
   * replacing transaction. The first row does not count, because it can be a merged row that grows
   * further.
   */
  async #rowsAt(from: number, maxBytes: number): Promise<Rows> {
    const { head, rows: first, end } = await this.#sliceAt(from);
    const rows = [...first];
    const firstBytes = rows[0]?.bytes.byteLength ?? 0;
    const bytes = Math.min(maxBytes, firstBytes + STEP_BYTES);
    let next = end;
    while (next < head.endOffset && bytesOf(rows) < bytes && rows.length < STEP_ROWS) {
      const slice = await this.#sliceAt(next);
      if (slice.head.rewrites !== head.rewrites) break; // replaced since the first read
      rows.push(...slice.rows);
      next = slice.end;
    }
    return { head, rows, end: next };
  }

  /** The row that covers `from` and later rows, up to the bounds of one reading transaction. */
  async #sliceAt(from: number): Promise<Rows> {
    const { store } = this.#partition;
    const [read] = await this.#store.readSegments([{ store, from, ...READ_SLICE }]);
    const head = this.#mustBeOurs(read!.head);
    const end = read!.nextBaseOffset ?? head.endOffset;
    return { head, rows: rowsUpTo(end, read!.segments), end };
  }

  /**
   * Replaces rows; `false`: another broker has replaced rows since `seen`, and nothing was changed.
   */
  #replace(
    seen: PartitionHead,
    rewrite: Rewrite,
    change: Partial<Pick<PartitionHead, 'rowsFrom' | 'startOffset'>> = {},
    mergedTo?: number,
  ): Promise<boolean> {
    const { store } = this.#partition;
    const decide = ([found]: readonly unknown[], write: Writer): boolean => {
      const head = this.#mustBeOurs(found);
      if (head.rewrites !== seen.rewrites) return false;
      const [first, last] = [rewrite.old[0]!, rewrite.old.at(-1)!];
      write.deleteSegments(store, first.baseOffset, last.baseOffset + 1);
      for (const { baseOffset, bytes } of rewrite.fresh) write.put(store, baseOffset, bytes);
      const { rowsFrom = head.rowsFrom, startOffset = 0 } = change;
      const next = startedAt(rewritten(head, rewrite, mergedTo), startOffset);
      write.put(store, HEAD_KEY, { ...next, rowsFrom });
      return true;
    };
    const frees = bytesOf(rewrite.fresh) < bytesOf(rewrite.old);
    return this.#store.update([headRef(store)], decide, { frees });
  }

  #mustBeOurs(row: unknown): PartitionHead {
    return headOf(row, this.#partition);
  }
}

/** Throws `OFFSET_OUT_OF_RANGE` where records up to `to` lie beyond the partition's end. */
export function mustNotPassEnd(
  { topicId, partition, startOffset, endOffset }: OffsetBounds,
  to: number,
): void {
  if (to <= endOffset) return;
  throw new TablogError(
    { ...OFFSET_OUT_OF_RANGE, next: `Pass at most ${endOffset}, or 'latest'.` },
    `records of partition ${partition} cannot be deleted up to ${to}: the end is ${endOffset}`,
    { details: { topicId, partition, offset: to, startOffset, endOffset } },
  );
}

/** The start and the end of a partition. */
export interface OffsetBounds extends TopicIdPartition {
  readonly startOffset: number;
  readonly endOffset: number;
}
