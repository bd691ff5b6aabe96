import { META, logRef } from './schema.ts';
import type { LogRow } from './schema.ts';
import type { RowRef, Writer } from './store.ts';

/**
 * The size of the reserve. It covers the write-ahead logs of LevelDB and SQLite, which rewind at
 * 4 MB: a group that overwrites the same rows again and again needs no more than that.
 */
const RESERVE_BYTES = 4 * 1024 * 1024;

/**
 * The size of the reserve inside the store: twice what a reserve outside gives back. In WebKit, room
 * inside a file serves nobody once the origin is full, so there an append must not be able to
 * exchange one for the other.
 */
const INSIDE_BYTES = 2 * RESERVE_BYTES;

/** Room outside of a store, which is given back at once. */
export interface Reserve {
  /** Takes the room of these rows; does nothing where it is taken. */
  keep(rows: readonly ArrayBuffer[]): Promise<void>;
  /** Gives the room back. */
  drop(): Promise<void>;
}

/**
 * The size of a row of the reserve. LevelDB gives a deleted row's room back at once when the row is
 * a file, which it is from 64 KiB on. Firefox deletes values of 1 MB and more late, because those
 * are files there.
 */
const ROW_BYTES = 512 * 1024;

/** `meta` / 'reserve': says that there is a reserve, and is deleted with it. */
export interface ReserveRow {
  /** Whether the reserve is outside of the store. */
  readonly isOutside: boolean;
}

export const reserveRef: RowRef<ReserveRow> = { store: META, key: 'reserve' };

const RESERVE_KEYS: readonly string[] = Array.from(
  { length: INSIDE_BYTES / ROW_BYTES },
  (_, i) => `reserve/${i}`,
);

/** Puts the reserve into the store. */
export function putReserve(write: Writer, log: LogRow): void {
  const row = reserveRow();
  for (const key of RESERVE_KEYS) write.put(META, key, row);
  noteReserve(write, log, { isOutside: false });
}

/** Notes in the log that there is a reserve. */
export function noteReserve(write: Writer, log: LogRow, reserve: ReserveRow): void {
  write.put(reserveRef.store, reserveRef.key, reserve);
  if (log.hasReserve !== true) write.put(logRef.store, logRef.key, { ...log, hasReserve: true });
}

/** Deletes the reserve from the store, and the note of one outside. */
export function deleteReserve(write: Writer): void {
  for (const key of RESERVE_KEYS) write.delete(META, key);
  write.delete(reserveRef.store, reserveRef.key);
}

/** The rows of a reserve outside of the store. */
export function reserveRows(): ArrayBuffer[] {
  return Array<ArrayBuffer>(RESERVE_BYTES / ROW_BYTES).fill(reserveRow());
}

/** Bytes without a pattern: Firefox compresses values, and a compressed reserve keeps no room. */
function reserveRow(): ArrayBuffer {
  const words = new Uint32Array(ROW_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  let word = 1;
  for (let i = 0; i < words.length; i++) {
    // Xorshift, https://www.jstatsoft.org/article/view/v008i14
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return words.buffer;
}
