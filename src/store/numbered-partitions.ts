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

/** `meta` / 'pool' of a store that makes partition stores at will. */
export interface NumberedPartitionsRow extends TopicsVersionRow {
  /** How many partition stores were taken so far: the number of the next one. */
  readonly size: number;
}

/** A row, and where it is. */
export interface PlacedRow {
  readonly store: string;
  readonly key: Key;
  readonly value: unknown;
}

/**
 * The rows of a log that is made `now` (milliseconds since 1970), for stores that use
 * `numberedPartitions`. A store puts them in the transaction that makes the log. `crypto` is what
 * `open` has got: the log has a random id.
 */
export function newLogRows(now: number, crypto?: RandomSource): readonly PlacedRow[] {
  const partitions: NumberedPartitionsRow = { size: 0, version: 0 };
  return [
    { ...logRef, value: newLogRow(now, crypto) },
    { ...topicsVersionRef, value: partitions },
  ];
}

/**
 * A `PartitionWriter` over a `Writer`, for stores that can make a partition store at any time: each
 * one taken has the next number, and no number is used again. `row` is what the transaction has
 * read at `topicsVersionRef`; `onTaken` is called with the name of each store that is taken. Throws
 * `LOG_CORRUPT` where the row is lost or damaged.
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
