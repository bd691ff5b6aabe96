import { HEAD_KEY } from '../schema.ts';
import { segmentBytes } from '../stored-row.ts';
import type {
  Key,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  StoredSegment,
  Writer,
} from '../store.ts';
import { decodeRow, encodeRow } from './row-value.ts';
import type { SqliteDriver, SqliteRow, SqliteValue } from './sqlite-driver.ts';
import { PUT_ROW, columnKey } from './sqlite-tables.ts';

/** SQLite sorts every number before every text. */
const IS_NUMBER = "key < ''";
/** The segments whose lengths are read at once. */
const SEGMENTS_A_LOOK = 64;

const GET_ROW = 'SELECT value FROM tablog_row WHERE log = ? AND store = ? AND key = ?';
const ALL_ROWS = 'SELECT key, value FROM tablog_row WHERE log = ? AND store = ?';
const FIRST_SEGMENT = `SELECT max(key) AS key FROM tablog_row
  WHERE log = ? AND store = ? AND key <= ?`;
// Of a BLOB that is not read itself, SQLite knows the length.
const LENGTHS = `SELECT key, CASE typeof(value) WHEN 'blob' THEN length(value) ELSE 0 END AS bytes
  FROM tablog_row WHERE log = ? AND store = ? AND key >= ? AND ${IS_NUMBER} ORDER BY key
  LIMIT ${SEGMENTS_A_LOOK}`;
const SEGMENTS = `SELECT key, value FROM tablog_row
  WHERE log = ? AND store = ? AND key >= ? AND key < ? ORDER BY key`;
const DELETE_ROW = 'DELETE FROM tablog_row WHERE log = ? AND store = ? AND key = ?';
const DELETE_SEGMENTS = `DELETE FROM tablog_row
  WHERE log = ? AND store = ? AND key >= ? AND key < ?`;
const CLEAR = 'DELETE FROM tablog_row WHERE log = ? AND store = ?';

/** The rows of one log, within whatever transaction the caller is in. */
export class SqliteRows {
  readonly #driver: SqliteDriver;
  readonly #log: number;

  constructor(driver: SqliteDriver, log: number) {
    this.#driver = driver;
    this.#log = log;
  }

  get<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): RowsOf<Refs> {
    return refs.map(({ store, key }) => this.#get(store, key)) as RowsOf<Refs>;
  }

  /** Every row of a store, in the order of the keys as JavaScript and IndexedDB have it. */
  all(store: string): unknown[] {
    return this.#all(ALL_ROWS, store)
      .map(({ key, value }) => ({ key: keyOf(key), value: valueOf(value) }))
      .sort((a, b) => byKey(a.key, b.key))
      .map(({ value }) => value);
  }

  segments({ store, from, maxBytes, maxRows = Infinity }: SegmentsRequest): SegmentsRead {
    const head = this.#get(store, HEAD_KEY);
    const first = (this.#all(FIRST_SEGMENT, store, from)[0]?.['key'] as number | null) ?? from;
    const { last, nextBaseOffset } = this.#reach(store, first, maxBytes, maxRows);
    const rows = last === undefined ? [] : this.#all(SEGMENTS, store, first, last + 1);
    const segments = rows.map(({ key, value }): StoredSegment => {
      return { baseOffset: key as number, bytes: segmentBytes(valueOf(value)) };
    });
    return { head, segments, nextBaseOffset };
  }

  /** Writes at once. `scope`: the stores that may be written to. */
  writer(scope: ReadonlySet<string>): Writer {
    const run = (sql: string, store: string, ...values: SqliteValue[]): void => {
      if (!scope.has(store)) {
        throw new Error(`a transaction writes to '${store}' and reads no row of it`);
      }
      this.#driver.run(sql, this.#log, store, ...values);
    };
    return {
      put: (store, key, value) => run(PUT_ROW, store, columnKey(key), encodeRow(value)),
      delete: (store, key) => run(DELETE_ROW, store, columnKey(key)),
      deleteSegments: (store, from, to) => run(DELETE_SEGMENTS, store, from, to),
      clear: (store) => run(CLEAR, store),
    };
  }

  /** The last segment of a read that begins with `first`, and the one behind it. */
  #reach(
    store: string,
    first: number,
    maxBytes: number,
    maxRows: number,
  ): { readonly last?: number; readonly nextBaseOffset: number | undefined } {
    let last: number | undefined;
    let rows = 0;
    let bytes = 0;
    for (let from = first; ;) {
      const look = this.#all(LENGTHS, store, from);
      for (const segment of look) {
        const key = segment['key'] as number;
        const isEnough = rows > 0 && (bytes >= maxBytes || rows >= maxRows);
        if (isEnough) return { last: last!, nextBaseOffset: key };
        last = key;
        rows++;
        bytes += segment['bytes'] as number;
      }
      if (look.length < SEGMENTS_A_LOOK) {
        return { ...(last !== undefined && { last }), nextBaseOffset: undefined };
      }
      from = last! + 1;
    }
  }

  #get(store: string, key: Key): unknown {
    const row = this.#all(GET_ROW, store, columnKey(key))[0];
    return row === undefined ? undefined : valueOf(row['value']);
  }

  #all(sql: string, store: string, ...values: readonly SqliteValue[]): readonly SqliteRow[] {
    return this.#driver.all(sql, this.#log, store, ...values);
  }
}

/** The value of a column. Text that is no JSON was not written by tablog, and is no row. */
function valueOf(column: unknown): unknown {
  try {
    return decodeRow(column);
  } catch {
    return column;
  }
}

function keyOf(column: unknown): Key {
  return typeof column === 'string' ? (valueOf(column) as Key) : (column as number);
}

/** The order of keys: https://w3c.github.io/IndexedDB/#compare-two-keys */
function byKey(a: Key, b: Key): number {
  if (typeof a === 'object' && typeof b === 'object') {
    const differs = a.findIndex((part, i) => part !== b[i]);
    if (differs < 0 || differs >= b.length) return a.length - b.length;
    return byKey(a[differs]!, b[differs]!);
  }
  if (typeof a === typeof b) return a < b ? -1 : Number(a > b);
  return rank(a) - rank(b);
}

function rank(key: Key): number {
  return ['number', 'string', 'object'].indexOf(typeof key);
}
