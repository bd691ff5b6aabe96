import type { RandomSource } from '../platform/random-id.ts';
import {
  damagedPartitions,
  logRef,
  newLogRow,
  partitionStore,
  topicsVersionRef,
} from './schema.ts';
import type { TopicsVersionRow } from './schema.ts';
import type { Key, PartitionWriter, RowRef, Writer } from './store.ts';
import { hasShape } from './stored-row.ts';
import type { RowShape } from './stored-row.ts';

/** `meta` / 'pool' of a store that can create a partition store at any time. */
export interface NumberedPartitionsRow extends TopicsVersionRow {
  /**
   * The number of partition stores taken so far, which is also the next partition store's number.
   */
  readonly size: number;
}

/** A row and its address. */
export interface PlacedRow {
  readonly store: string;
  readonly key: Key;
  readonly value: unknown;
}

/**
 * The first rows of a log that is created at `now` (milliseconds since 1970), for stores that use
 * `numberedPartitions`. A store puts these rows in the transaction that creates the log. `crypto`
 * is the `crypto` of `open`'s options: the source of the log's random id.
 */
export function newLogRows(now: number, crypto?: RandomSource): readonly PlacedRow[] {
  const partitions: NumberedPartitionsRow = { size: 0, version: 0 };
  return [
    { ...logRef, value: newLogRow(now, crypto) },
    { ...topicsVersionRef, value: partitions },
  ];
}

/**
 * A `PartitionWriter` over a `Writer`, for stores that can create a partition store at any time.
 * Each taken partition store gets the next number, and no number is used again. `row` is the row
 * that the transaction has read at `topicsVersionRef`; `onTaken` is called with the name of each
 * taken partition store. Throws `LOG_CORRUPT` when the row is lost or damaged.
 */
export function numberedPartitions(
  row: unknown,
  write: Writer,
  onTaken: (store: string) => void = () => {},
): PartitionWriter {
  if (!hasShape(row, NUMBERED)) throw damagedPartitions();
  const { store, key } = topicsVersionRef as RowRef<NumberedPartitionsRow>;
  let now = row;
  const change = (next: Partial<NumberedPartitionsRow>): void => {
    now = { ...now, ...next };
    write.put(store, key, now);
  };
  return {
    put: (...args) => write.put(...args),
    delete: (...args) => write.delete(...args),
    deleteSegments: (...args) => write.deleteSegments(...args),
    clear: (cleared) => write.clear(cleared),
    takePartitions(count) {
      const numbers = Array.from({ length: count }, (_, i) => now.size + i);
      for (const number of numbers) onTaken(partitionStore(number));
      change({ size: now.size + count });
      return numbers;
    },
    freePartitions(numbers) {
      for (const number of numbers) write.clear(partitionStore(number));
    },
    topicsChanged: () => change({ version: row.version + 1 }),
  };
}

const NUMBERED: RowShape<NumberedPartitionsRow> = { size: 'integer', version: 'integer' };
