import type { TablogError } from '../base/error.ts';

export type Key = string | number | readonly (string | number)[];

declare const rowType: unique symbol;

/** The address of a row, typed by what is stored there. */
export interface RowRef<T> {
  readonly store: string;
  readonly key: Key;
  readonly [rowType]?: T;
}

/** What the rows of `Refs` hold, in their order; `undefined` where there is no row. */
export type RowsOf<Refs extends readonly RowRef<unknown>[]> = {
  readonly [I in keyof Refs]: Refs[I] extends RowRef<infer T> ? T | undefined : never;
};

/**
 * What a transaction writes. Only into stores that it also reads a row of: that is how the store
 * knows which to lock.
 */
export interface Writer {
  put(store: string, key: Key, value: unknown): void;
  delete(store: string, key: Key): void;
  /**
   * Deletes the segments from the base offset `from` on, up to the one before `to`: cheaper than
   * each.
   */
  deleteSegments(store: string, from: number, to: number): void;
  clear(store: string): void;
}

/**
 * What a transaction writes that makes, grows or deletes topics. A topic's row has the numbers of
 * its partition stores, and `partitionStore(number)` is the name of one.
 */
export interface PartitionWriter extends Writer {
  /**
   * Takes `count` partition stores that no topic has; returns their numbers. They are empty, and
   * the transaction can write to them, although it reads no row of them.
   */
  takePartitions(count: number): readonly number[];
  /**
   * Gives partition stores back, and deletes their rows. The transaction must read a row of each.
   */
  freePartitions(numbers: readonly number[]): void;
  /** Raises the `version` of the row at `topicsVersionRef`. Nobody else writes that row. */
  topicsChanged(): void;
}

/**
 * How safe a write is when `update` resolves (IndexedDB's durability hint).
 * 'relaxed': handed to the operating system: survives a crash of the browser, not a power cut.
 * 'strict': flushed to the disk.
 */
export type Durability = 'relaxed' | 'strict';

export interface SegmentsRequest {
  readonly store: string;
  /** Begin with the segment that covers this offset. */
  readonly from: number;
  /** Stop when this many bytes are reached; at least one segment comes if there is one. */
  readonly maxBytes: number;
  /** Or this many segments. Default: no bound. */
  readonly maxRows?: number;
}

/** A row of a partition store. */
export interface StoredSegment {
  /** The row's key: what its first record's offset must be. */
  readonly baseOffset: number;
  readonly bytes: ArrayBuffer;
}

export interface SegmentsRead {
  /** The row 'head'. */
  readonly head: unknown;
  readonly segments: readonly StoredSegment[];
  /** The key of the row after these, if there is one. */
  readonly nextBaseOffset: number | undefined;
}

/** Rows in named stores, with transactions: as much of a `Store` as a partition needs. */
export interface RowStore {
  /** Reads rows as of one moment. */
  read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>>;

  /** Reads every row of a small store, in the order of the keys. */
  readAll<T>(store: string): Promise<T[]>;

  /** Reads heads and segments of several partitions as of one moment. */
  readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]>;

  /**
   * Reads the rows of `refs`, hands them to `decide`, and writes what it writes, in one
   * transaction. `decide` is synchronous by nature: whatever takes time comes before. When it
   * throws, nothing is written and `update` rejects with what it threw.
   */
  update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: { readonly durability?: Durability },
  ): Promise<Result>;

  /**
   * Aborted, with a `TablogError` as the reason, when the store is closed, by us or by the browser.
   */
  readonly closed: AbortSignal;

  /** Closes the store; what is in flight still settles. */
  close(reason?: TablogError): void;
}

/**
 * One connection to a log's rows. An implementation promises, and `storeContract()` of
 * 'tablog/store-contract' tests:
 * - `update` is atomic and serial: it reads, decides and writes with no other write in between, of
 *   this connection or another;
 * - it resolves when the transaction has completed, and never earlier;
 * - every promise settles, also when the browser closes the database under it;
 * - values are copies: nothing is shared between the caller and what is stored. They are of texts,
 *   numbers, booleans, null, `undefined`, arrays, plain objects, buffers, typed arrays and regular
 *   expressions, as `structuredClone` copies them;
 * - stores need not be made before they are written to, except partition stores, which
 *   `updatePartitions` takes. Keys of one store are all texts, all arrays, or numbers and the text
 *   'head'; numbers come first.
 *
 * A rejection is a `TablogError`, as `storeError` makes it. `OUTCOME_UNKNOWN` where it may have
 * been stored; any other code means that nothing was.
 */
export interface Store extends RowStore {
  /**
   * As `update`, and `decide` can take and free partition stores. `decide` may run more than once,
   * where the store has to find out how many it takes: what it does the last time counts.
   */
  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: { readonly durability?: Durability },
  ): Promise<Result>;
}

/** Anything but a promise: an `await` inside a transaction ends it in Firefox and WebKit. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;
