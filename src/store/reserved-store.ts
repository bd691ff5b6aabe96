import { STORAGE_FULL } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { ForwardingStore } from './forwarding-store.ts';
import { deleteReserve, noteReserve, putReserve, reserveRef, reserveRows } from './reserve.ts';
import type { Reserve, ReserveRow } from './reserve.ts';
import { logRef } from './schema.ts';
import type { LogRow } from './schema.ts';
import { segmentBytes } from './stored-row.ts';
import type {
  Key,
  PartitionWriter,
  RowRef,
  RowsOf,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from './store.ts';

/** The bytes of records from which on a log is worth a reserve. */
const WORTH_BYTES = 1024 * 1024;

type Decide<Rows, W, Result> = (rows: Rows, write: W) => Synchronous<Result>;

/**
 * A store that keeps a reserve of room, because a full origin would otherwise be a dead end:
 * whatever deletes records, or reads them by a group, puts a small row first, and a full origin
 * refuses every put. The rules:
 *
 * - A write without segments, or one that `frees` room, may spend the reserve. When it is refused
 *   for lack of space, the reserve is deleted, in a transaction without a put, and the write is
 *   repeated.
 * - Any other write, as an append, may not. While the reserve is spent, such a write puts the
 *   reserve again, in its own transaction, or is refused. So records cannot use up the room that
 *   deleting them needs, and appends go on by themselves when there is room for both.
 *
 * The reserve is kept outside of the store where there is such a place. An append puts it into the
 * store, since it has to do so in its transaction. Room inside a store is not always room for
 * others, and the other way round: a database's file may never shrink.
 *
 * The reserve is a matter of room alone, and no order depends on it: a broker that does not know
 * that another one has spent the reserve appends until the origin is full again.
 */
export class ReservedStore extends ForwardingStore {
  readonly #outside: Reserve | undefined;
  /**
   * Whether the reserve was deleted, and not put again since. `undefined` until the first write,
   * which reads it: another broker may have spent the reserve.
   */
  #isSpent: boolean | undefined;
  /** Whether this broker has seen to the reserve, and not spent it since. */
  #isKept = false;
  /** Whether segments were deleted since the reserve was spent, or since it was last tried. */
  #hasDeleted = false;
  /** The bytes of segments that were put since the last attempt to put the reserve. */
  #grownBytes = 0;

  constructor(inner: Store, outside?: Reserve) {
    super(inner);
    this.#outside = outside;
  }

  override update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: Decide<RowsOf<Refs>, Writer, Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#write(refs, decide, options, (all, decideAll) =>
      this.inner.update(all, decideAll, options),
    );
  }

  override updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: Decide<RowsOf<Refs>, PartitionWriter, Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#write(refs, decide, options, (all, decideAll) =>
      this.inner.updatePartitions(all, decideAll, options),
    );
  }

  async #write<Refs extends readonly RowRef<unknown>[], W extends Writer, Result>(
    refs: Refs,
    decide: Decide<RowsOf<Refs>, W, Result>,
    { frees = false }: UpdateOptions = {},
    update: (
      refs: readonly RowRef<unknown>[],
      decide: Decide<readonly unknown[], W, Result>,
    ) => Promise<Result>,
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      let isSpent = this.#isSpent;
      // The rows take the store of the reserve into the transaction.
      const all = isSpent === false ? refs : [...refs, reserveRef, logRef];
      let grownBytes = 0;
      let deletes = false;
      try {
        const result = await update(all, (rows, write) => {
          grownBytes = 0; // `decide` of `updatePartitions` may run more than once
          deletes = false;
          const [reserve, log] = rows.slice(refs.length) as [ReserveRow?, LogRow?];
          isSpent ??= log?.hasReserve === true && reserve === undefined;
          const counting = countingSegments(write, {
            onPut: (bytes) => {
              if (!frees) grownBytes += bytes;
            },
            onDelete: () => {
              deletes = true;
            },
          });
          const decided = decide(rows.slice(0, refs.length) as unknown as RowsOf<Refs>, counting);
          if (isSpent && grownBytes > 0) putReserve(write, log!);
          return decided;
        });
        this.#isSpent ??= isSpent;
        if (grownBytes > 0) this.#hasGrown(grownBytes, isSpent === true);
        if (deletes) this.#hasDeleted = true;
        return result;
      } catch (error) {
        if (!isFull(error)) throw error;
        this.#isSpent ??= isSpent;
        if (grownBytes > 0) {
          if (isSpent !== true) throw error;
          if (!(await this.#takeBack())) throw noRoomForRecords(error);
        } else {
          if (tries > 1) throw usedUp(error);
          await this.#spend(error);
        }
      }
    }
  }

  /** Notes a stored append; `hasPut`: the append has put the reserve again. */
  #hasGrown(bytes: number, hasPut: boolean): void {
    if (hasPut) this.#isSpent = false;
    this.#grownBytes += bytes;
    if (this.#grownBytes < WORTH_BYTES) return;
    this.#grownBytes = 0;
    this.#keep().catch(() => {}); // the next appends try again
  }

  /** Keeps the reserve, outside of the store where that is possible. */
  async #keep(): Promise<void> {
    if (this.#isKept) return;
    const outside = this.#outside;
    try {
      await outside?.keep(reserveRows());
      await this.inner.update([logRef, reserveRef], ([log, reserve], write) => {
        if (reserve?.isOutside === (outside !== undefined)) return;
        if (outside === undefined) return putReserve(write, log!);
        deleteReserve(write); // an append may have put it into the store
        noteReserve(write, log!, { isOutside: true });
      });
    } catch (error) {
      // The rest of a failed attempt takes room, and a deleted log must leave no reserve behind.
      await outside?.drop();
      throw error;
    }
    this.#isKept = true;
  }

  /**
   * Keeps the reserve outside again, after segments were deleted: where there is room for it, an
   * append need not put it.
   */
  async #takeBack(): Promise<boolean> {
    if (this.#outside === undefined || !this.#hasDeleted) return false;
    this.#hasDeleted = false;
    try {
      await this.#keep();
    } catch {
      return false;
    }
    this.#isSpent = false;
    return true;
  }

  /**
   * Deletes the reserve. A transaction that also puts a row would be refused in a full origin, and
   * on a full disk even this one is refused before there is room outside.
   */
  async #spend(full: TablogError): Promise<void> {
    this.#isSpent = true;
    this.#isKept = false;
    this.#hasDeleted = false;
    try {
      await this.#outside?.drop();
      await this.inner.update([logRef], (_, write) => deleteReserve(write));
    } catch {
      throw full; // the reserve could not help
    }
  }
}

/** The writer, which tells of the bytes of each segment that is put, and of deletions. */
function countingSegments<W extends Writer>(
  write: W,
  { onPut, onDelete }: { readonly onPut: (bytes: number) => void; readonly onDelete: () => void },
): W {
  const counting: W = {
    ...write,
    put: (store: string, key: Key, value: unknown) => {
      if (typeof key === 'number') onPut(segmentBytes(value).byteLength);
      write.put(store, key, value);
    },
    deleteSegments: (store: string, from: number, to: number) => {
      onDelete();
      write.deleteSegments(store, from, to);
    },
  };
  if (!isPartitionWriter(write)) return counting;
  return {
    ...counting,
    freePartitions: (numbers: readonly number[]) => {
      onDelete();
      write.freePartitions(numbers);
    },
  };
}

function isPartitionWriter(write: Writer): write is PartitionWriter {
  return 'freePartitions' in write;
}

function isFull(error: unknown): error is TablogError {
  return error instanceof TablogError && error.code === STORAGE_FULL.code;
}

function noRoomForRecords(cause: TablogError): TablogError {
  const next =
    'Delete records or topics. Where that gives no room back, as in WebKit, delete other data of the origin, or this log after a copy of it.';
  return new TablogError({ ...STORAGE_FULL, next }, 'the browser has no room for records', {
    cause,
  });
}

function usedUp(cause: TablogError): TablogError {
  const next =
    'Delete other data of the origin, or this log after a copy of it: the browser gives no room back for records that are deleted now.';
  const happened = 'the browser has no room, and the reserve is used up';
  return new TablogError({ ...STORAGE_FULL, next }, happened, { cause });
}
