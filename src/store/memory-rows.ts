import { CLOSED } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { cloneRow } from './clone-row.ts';
import { HEAD_KEY } from './schema.ts';
import { segmentBytes } from './stored-row.ts';
import type {
  Key,
  RowRef,
  RowStore,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  StoredSegment,
  Synchronous,
  Writer,
} from './store.ts';

/** Rows in memory, which end with their context. A named store is created at its first use. */
export class MemoryRows implements RowStore {
  readonly #stores = new Map<string, MemoryTable>();
  readonly #closing = new AbortController();

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  close(reason: TablogError = new TablogError(CLOSED, 'the log is closed')): void {
    this.#closing.abort(reason);
  }

  async read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    this.#checkOpen();
    return refs.map((ref) => this.#table(ref.store).get(ref.key)) as RowsOf<Refs>;
  }

  async readAll<T>(store: string): Promise<T[]> {
    this.#checkOpen();
    return this.#table(store).all() as T[];
  }

  async readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    this.#checkOpen();
    return requests.map(({ store, from, maxBytes, maxRows }) => {
      const table = this.#table(store);
      return { head: table.get(HEAD_KEY), ...table.segments(from, maxBytes, maxRows) };
    });
  }

  /** `decide` can add the names of stores that it writes to, and reads no row of, to `scope`. */
  async update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer, scope: Set<string>) => Synchronous<Result>,
  ): Promise<Result> {
    this.#checkOpen();
    const scope = new Set(refs.map((ref) => ref.store));
    const writes: (() => void)[] = [];
    const table = (store: string): MemoryTable => {
      if (scope.has(store)) return this.#table(store);
      throw new Error(`a transaction writes to '${store}' and reads no row of it`);
    };
    const rows = refs.map((ref) => this.#table(ref.store).get(ref.key)) as RowsOf<Refs>;
    const write: Writer = {
      put: (store, key, value) => {
        const into = table(store);
        const copy = cloneRow(value);
        writes.push(() => into.put(key, copy));
      },
      delete: (store, key) => {
        const from = table(store);
        writes.push(() => from.delete(key));
      },
      deleteSegments: (store, first, to) => {
        const from = table(store);
        writes.push(() => from.deleteSegments(first, to));
      },
      clear: (store) => {
        const cleared = table(store);
        writes.push(() => cleared.clear());
      },
    };
    const result = decide(rows, write, scope);
    for (const each of writes) each();
    return result;
  }

  #table(store: string): MemoryTable {
    let table = this.#stores.get(store);
    if (table === undefined) this.#stores.set(store, (table = new MemoryTable()));
    return table;
  }

  #checkOpen(): void {
    this.closed.throwIfAborted();
  }
}

/** One object store in memory. */
class MemoryTable {
  readonly #rows = new Map<string | number, unknown>();
  /** The numeric keys in ascending order: the base offsets of segments. */
  readonly #offsets: number[] = [];

  get(key: Key): unknown {
    return cloneRow(this.#rows.get(mapKey(key)));
  }

  all(): unknown[] {
    return [...this.#rows.keys()].sort(byKey).map((key) => cloneRow(this.#rows.get(key)));
  }

  put(key: Key, value: unknown): void {
    const mapped = mapKey(key);
    if (typeof mapped === 'number' && !this.#rows.has(mapped)) {
      this.#offsets.splice(this.#after(mapped), 0, mapped);
    }
    this.#rows.set(mapped, value);
  }

  delete(key: Key): void {
    const mapped = mapKey(key);
    if (!this.#rows.delete(mapped) || typeof mapped !== 'number') return;
    this.#offsets.splice(this.#after(mapped) - 1, 1);
  }

  deleteSegments(from: number, to: number): void {
    const first = this.#after(from - 1);
    const deleted = this.#offsets.splice(first, this.#after(to - 1) - first);
    for (const offset of deleted) this.#rows.delete(offset);
  }

  clear(): void {
    this.#rows.clear();
    this.#offsets.length = 0;
  }

  segments(from: number, maxBytes: number, maxRows = Infinity): Omit<SegmentsRead, 'head'> {
    const segments: StoredSegment[] = [];
    let read = 0;
    let i = Math.max(this.#after(from) - 1, 0);
    const isEnough = (): boolean =>
      segments.length > 0 && (read >= maxBytes || segments.length >= maxRows);
    for (; i < this.#offsets.length && !isEnough(); i++) {
      const baseOffset = this.#offsets[i]!;
      const bytes = segmentBytes(this.get(baseOffset));
      segments.push({ baseOffset, bytes });
      read += bytes.byteLength;
    }
    return { segments, nextBaseOffset: this.#offsets[i] };
  }

  /** The number of base offsets up to and including `offset`. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function mapKey(key: Key): string | number {
  return typeof key === 'object' ? JSON.stringify(key) : key;
}

function byKey(a: string | number, b: string | number): number {
  if (typeof a === typeof b) return a < b ? -1 : 1;
  return typeof a === 'number' ? -1 : 1;
}
