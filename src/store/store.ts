import type { TablogError } from '../base/error.ts';

export type Key = string | number | readonly (string | number)[];

declare const rowType: unique symbol;

/** The address of a row, typed by the row's value. */
export interface RowRef<T> {
  readonly store: string;
  readonly key: Key;
  readonly [rowType]?: T;
}

/** The values of the rows at `Refs`, in the order of `Refs`; `undefined` for a missing row. */
export type RowsOf<Refs extends readonly RowRef<unknown>[]> = {
  readonly [I in keyof Refs]: Refs[I] extends RowRef<infer T> ? T | undefined : never;
};

/**
 * The writes of a transaction. A transaction writes only to stores that it reads a row of: the
 * store knows by the rows which named stores to lock.
 */
export interface Writer {
  put(store: string, key: Key, value: unknown): void;
  delete(store: string, key: Key): void;
  /**
   * Deletes the segments with a base offset of at least `from` and less than `to`. One range costs
   * less than a `delete` for each segment.
   */
  deleteSegments(store: string, from: number, to: number): void;
  clear(store: string): void;
}

/**
 * The writes of a transaction that creates, grows or deletes topics. A topic's row has the numbers
 * of its partition stores, and `partitionStore(number)` is the name of a partition store.
 */
export interface PartitionWriter extends Writer {
  /**
   * Takes `count` partition stores that no topic has; returns their numbers. Taken partition stores
   * are empty, and the transaction can write to them although it reads no row of them.
   */
  takePartitions(count: number): readonly number[];
  /**
   * Frees partition stores, and deletes their rows. The transaction must read a row of each
   * partition store.
   */
  freePartitions(numbers: readonly number[]): void;
  /**
   * Raises the `version` of the row at `topicsVersionRef`. Only a `PartitionWriter` writes that
   * row.
   */
  topicsChanged(): void;
}

/**
 * The safety of a write when `update` resolves: IndexedDB's durability hint,
 * https://w3c.github.io/IndexedDB/#transaction-durability-hint
 * 'relaxed': the operating system has the write, which survives a crash of the browser but not a
 * power cut. 'strict': the write is flushed to the disk.
 */
export type Durability = 'relaxed' | 'strict';

export interface UpdateOptions {
  readonly durability?: Durability;
  /**
   * Whether the segments that are put are smaller than those that are deleted. Such a write may use
   * room that a store keeps for the time when there is no more. Default false.
   */
  readonly frees?: boolean;
}

export interface SegmentsRequest {
  readonly store: string;
  /** The read begins with the segment that covers this offset. */
  readonly from: number;
  /** The read stops at this many bytes, but reads at least one segment if any segment exists. */
  readonly maxBytes: number;
  /** The read also stops at this many segments. Default: no bound. */
  readonly maxRows?: number;
}

/** A row of a partition store. */
export interface StoredSegment {
  /** The row's key, which must be the offset of the segment's first record. */
  readonly baseOffset: number;
  /** The row's value; no bytes where the value is damaged, and is not an `ArrayBuffer`. */
  readonly bytes: ArrayBuffer;
}

export interface SegmentsRead {
  /** The value of the row 'head'. */
  readonly head: unknown;
  readonly segments: readonly StoredSegment[];
  /** The base offset of the segment after these; `undefined` at the end of the partition. */
  readonly nextBaseOffset: number | undefined;
}

/** Rows in named stores, with transactions: the part of a `Store` that a partition needs. */
export interface RowStore {
  /** Reads rows as of one moment. */
  read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>>;

  /** Reads every row of a small store, in the order of the keys. */
  readAll<T>(store: string): Promise<T[]>;

  /** Reads heads and segments of several partitions as of one moment. */
  readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]>;

  /**
   * Reads the rows at `refs`, passes them to `decide`, and stores the writes of `decide`, all in
   * one transaction. `decide` is synchronous, so asynchronous work must come before `update`. When
   * `decide` throws, nothing is written, and `update` rejects with the thrown error.
   */
  update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result>;

  /**
   * Aborts, with a `TablogError` as the reason, when the store is closed: by `close()`, or by the
   * browser.
   */
  readonly closed: AbortSignal;

  /** Closes the store; calls under way still settle. */
  close(reason?: TablogError): void;
}

/**
 * One connection to a log's rows. An implementation promises, and `storeContract()` of
 * 'tablog/store-contract' tests:
 * - `update` is atomic and serial: between its reads and its writes there is no other write, of
 *   this connection or any other;
 * - `update` resolves when the transaction has completed, and never earlier;
 * - every promise settles, even when the browser closes the database during the call;
 * - values are copies: the caller shares no object with the store. Values consist of strings,
 *   numbers, booleans, null, `undefined`, arrays, plain objects, buffers, typed arrays and regular
 *   expressions, copied as by `structuredClone`;
 * - a named store need not be created before the first write to it, except for partition stores,
 *   which `updatePartitions` takes. The keys of one store are all strings, all arrays, or numbers
 *   and the string 'head'; numbers come first.
 *
 * A rejection is a `TablogError`, as `storeError` makes it, except for an error that `decide` throws,
 * which is passed on. `OUTCOME_UNKNOWN` means that the write
 * may have been stored; any other code means that nothing was stored.
 */
export interface Store extends RowStore {
  /**
   * The name under which the factory has set aside a log that could not be opened, when this `open`
   * began a new log in its place; see `OpenStoreOptions.onUnrecoverable`. Default: none.
   */
  readonly setAside?: string | undefined;

  /**
   * Whether this `open` found no log, and the platform told that it had lost what was stored before.
   * Default: it tells nothing.
   */
  readonly isAfterLoss?: boolean;

  /**
   * As `update`, and `decide` can take and free partition stores. `decide` may run more than once,
   * because a store may have to find out how many partition stores `decide` takes. Only its last
   * run counts.
   */
  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result>;
}

/**
 * Any type but a promise: an `await` inside a transaction ends the transaction in Firefox and
 * WebKit.
 */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;
