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
} from '../../log/cleaning/rewrite.ts';
import type { Rewrite } from '../../log/cleaning/rewrite.ts';
import { SEGMENT_BYTES, packSegments, rowsUpTo } from '../../log/segment.ts';
import type { Segment } from '../../log/segment.ts';
import { markAhead } from '../../log/time-index.ts';
import { loadCodecsFor } from '../../record/compression/codecs.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { TendedStore } from '../../store/paced-store.ts';

/** Rows as of one moment. */
interface Rows {
  readonly head: PartitionHead;
  readonly rows: readonly Segment[];
  /** Where they end; where the next ones would begin, if there are none. */
  readonly end: number;
}

/**
 * What one transaction reads. Browsers run it as a whole, and until it is over they serve nobody
 * else: reading 128 KiB takes about as long as storing a record does.
 */
const SLICE_BYTES = 128 * 1024;
const SLICE_ROWS = 32;

/** What one transaction replaces: what it costs is mostly by row. */
const STEP_BYTES = 256 * 1024;
const STEP_ROWS = 256;

/** What is cleaned at once: it keeps the broker's thread busy. */
const MAX_CLEANED_BYTES = 512 * 1024;

/**
 * Keeps one partition small: moves its start, deletes rows before it, compacts, and merges small
 * rows. Each step is a transaction of its own that changes nothing if another broker was faster, so
 * that it can be stopped at any point, and several may try at once.
 */
export class PartitionCleaner {
  readonly #store: TendedStore;
  readonly #kept: LocatedPartition;

  constructor(store: TendedStore, kept: LocatedPartition) {
    this.#store = store;
    this.#kept = kept;
  }

  async head(): Promise<PartitionHead> {
    const [head] = await this.#store.read([headRef(this.#kept.store)]);
    return this.#mustBeOurs(head);
  }

  /**
   * The head, with the timestamps marked that are ahead of a clock that says `now`
   * (log/retention.ts).
   */
  async notedHead(now: number): Promise<PartitionHead> {
    const seen = await this.head();
    if (markAhead(seen.timeIndex, now) === seen.timeIndex) return seen;
    const { store } = this.#kept;
    return this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const noted = { ...head, timeIndex: markAhead(head.timeIndex, now) };
      write.put(store, HEAD_KEY, noted);
      return noted;
    });
  }

  /** Moves the log start offset up to `to`, and tells where it is. Throws `OFFSET_OUT_OF_RANGE`. */
  async moveStart(to: number): Promise<number> {
    const { store, partition } = this.#kept;
    return this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const { startOffset, endOffset } = head;
      if (to > endOffset) {
        throw new TablogError(
          OFFSET_OUT_OF_RANGE,
          `records of partition ${partition} cannot be deleted up to ${to}: the end is ${endOffset}`,
          { details: { partition, offset: to, startOffset, endOffset } },
        );
      }
      if (to <= startOffset) return startOffset;
      write.put(store, HEAD_KEY, startedAt(head, to));
      return to;
    });
  }

  /** Deletes the rows that lie before the start. */
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

  /** Deletes the oldest rows as long as `maxBytes` stay; tells whether it deleted something. */
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

  /** The row that goes first. */
  async oldestRow(): Promise<Segment | undefined> {
    const { rowsFrom } = await this.head();
    return (await this.#rowsAt(rowsFrom, 1)).rows[0];
  }

  /** One pass of compaction, where it is worth it; tells whether records are gone. */
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
      const { head, rows, end } = await this.#rowsAt(from, MAX_CLEANED_BYTES);
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
      from = end; // rows that came since `to` may be among these: none of their records is replaced
    }
    const { store } = this.#kept;
    await this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      const at = now(); // and not when it began: it may have taken long
      if (at === undefined) return; // when tombstones became the last of their keys, nobody knows
      const pass = { to, at };
      const compaction = cleaned(head.compaction, pass, cleanBytes, tombstonesTo);
      write.put(store, HEAD_KEY, { ...head, compaction });
    });
    return isReplaced;
  }

  /** Makes rows of up to 1 MiB of small ones. */
  async merge(): Promise<void> {
    for (;;) {
      const head = await this.head();
      if (!isWorthMerging(head)) return;
      const { from } = head.unmerged;
      const { rows } = await this.#rowsAt(Math.max(from, head.rowsFrom), SEGMENT_BYTES);
      if (rows.length === 0) return;
      const rewrite = mergeRows(rows);
      const { baseOffset, nextOffset, bytes } = rewrite.fresh.at(-1)!;
      // One that is still small is merged once more, with what comes.
      const isSmall = rewrite.old.length > 1 && bytes.byteLength < SEGMENT_BYTES / 2;
      const mergedTo = isSmall ? baseOffset : nextOffset;
      if (!(await this.#replace(head, rewrite, {}, mergedTo))) return;
    }
  }

  /** The last offset of each key from the offset `from` on, as far as that can be remembered. */
  async #latest(from: number, end: number): Promise<{ latest: LatestOffsets; to: number }> {
    const latest = new LatestOffsets();
    let to = from;
    while (to < end && !latest.isFull) {
      const read = await this.#sliceAt(to);
      await this.#loadCodecs(read.rows);
      for (const batch of checkedBatches(read.rows)) latest.add(batch);
      to = read.end;
    }
    return { latest, to };
  }

  /** Loads the codecs that the batches of these rows are compressed with. */
  async #loadCodecs(rows: readonly Segment[]): Promise<void> {
    const { topicId, partition } = this.#kept;
    for (const { bytes } of rows) {
      await loadCodecsFor(new Uint8Array(bytes), { topicId, partition });
    }
  }

  /**
   * The row that covers `from`, and those after it, up to about `maxBytes`, and no more than one
   * transaction is to replace. The first may be one that has grown and grows on: it does not count.
   */
  async #rowsAt(from: number, maxBytes: number): Promise<Rows> {
    const { head, rows: first, end } = await this.#sliceAt(from);
    const rows = [...first];
    const firstBytes = rows[0]?.bytes.byteLength ?? 0;
    const bytes = Math.min(maxBytes, firstBytes + STEP_BYTES);
    let next = end;
    while (next < head.endOffset && bytesOf(rows) < bytes && rows.length < STEP_ROWS) {
      const slice = await this.#sliceAt(next);
      if (slice.head.rewrites !== head.rewrites) break; // these are of another moment
      rows.push(...slice.rows);
      next = slice.end;
    }
    return { head, rows, end: next };
  }

  /** The row that covers `from`, and as many after it as one transaction is to read. */
  async #sliceAt(from: number): Promise<Rows> {
    const { store } = this.#kept;
    const request = { store, from, maxBytes: SLICE_BYTES, maxRows: SLICE_ROWS };
    const [read] = await this.#store.readSegments([request]);
    const head = this.#mustBeOurs(read!.head);
    const end = read!.nextBaseOffset ?? head.endOffset;
    return { head, rows: rowsUpTo(end, read!.segments), end };
  }

  /** `false`: the rows are others by now, and nothing was changed. */
  #replace(
    seen: PartitionHead,
    rewrite: Rewrite,
    change: Partial<Pick<PartitionHead, 'rowsFrom' | 'startOffset'>> = {},
    mergedTo?: number,
  ): Promise<boolean> {
    const { store } = this.#kept;
    return this.#store.update([headRef(store)], ([found], write) => {
      const head = this.#mustBeOurs(found);
      if (head.rewrites !== seen.rewrites) return false;
      const [first] = rewrite.old;
      const last = rewrite.old.at(-1);
      if (first !== undefined && last !== undefined) {
        write.deleteSegments(store, first.baseOffset, last.baseOffset + 1);
      }
      for (const { baseOffset, bytes } of rewrite.fresh) write.put(store, baseOffset, bytes);
      const { rowsFrom = head.rowsFrom, startOffset = 0 } = change;
      const next = startedAt(rewritten(head, rewrite, mergedTo), startOffset);
      write.put(store, HEAD_KEY, { ...next, rowsFrom });
      return true;
    });
  }

  #mustBeOurs(row: unknown): PartitionHead {
    return headOf(row, this.#kept);
  }
}
