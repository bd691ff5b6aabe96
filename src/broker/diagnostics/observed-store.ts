import { toTablogError } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import type {
  PartitionWriter,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from '../../store/store.ts';
import { failureOf } from './diagnostics.ts';
import type { Diagnostics } from './diagnostics.ts';

/** A transaction that takes this long is recorded, in milliseconds. */
const SLOW_MS = 1_000;

/** The most names of stores that an entry has. */
const MAX_STORES = 5;

type Mode = 'read' | 'write';
type Stores = readonly { readonly store: string }[];

/**
 * A store that counts its transactions, and records those that fail or take long. The promise of
 * the store itself is returned: observing a transaction delays nothing.
 */
export class ObservedStore implements Store {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  #transactions = 0;
  #inFlight = 0;

  constructor(store: Store, clock: Clock, diagnostics: Diagnostics) {
    this.#store = store;
    this.#clock = clock;
    this.#diagnostics = diagnostics;
  }

  get closed(): AbortSignal {
    return this.#store.closed;
  }

  get setAside(): string | undefined {
    return this.#store.setAside;
  }

  /** The transactions that have not ended, and all so far. */
  get counts(): { readonly transactionsInFlight: number; readonly transactions: number } {
    return { transactionsInFlight: this.#inFlight, transactions: this.#transactions };
  }

  close(reason?: TablogError): void {
    this.#store.close(reason);
  }

  read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    return this.#observe('read', refs, this.#store.read(refs));
  }

  readAll<T>(store: string): Promise<T[]> {
    return this.#observe('read', [{ store }], this.#store.readAll<T>(store));
  }

  readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    return this.#observe('read', requests, this.#store.readSegments(requests));
  }

  update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#observe('write', refs, this.#store.update(refs, decide, options));
  }

  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#observe('write', refs, this.#store.updatePartitions(refs, decide, options));
  }

  #observe<T>(mode: Mode, refs: Stores, transaction: Promise<T>): Promise<T> {
    const began = this.#clock.now();
    this.#transactions++;
    this.#inFlight++;
    const ended = (): number => {
      this.#inFlight--;
      return this.#clock.now() - began;
    };
    transaction.then(
      () => {
        const ms = ended();
        if (ms >= SLOW_MS) this.#diagnostics.record('transactionSlow', describe(ms, mode, refs));
      },
      (thrown: unknown) => {
        const ms = ended();
        const error = toTablogError(thrown);
        // An error that `decide` throws is the refusal of a call: the transaction itself was healthy.
        if (!isOfStorage(error)) return;
        const details = { ...describe(ms, mode, refs), ...failureOf(error) };
        this.#diagnostics.record('transactionFailed', details);
      },
    );
    return transaction;
  }
}

function isOfStorage({ code }: TablogError): boolean {
  return code.startsWith('STORAGE_') || code === 'OUTCOME_UNKNOWN' || code === 'INTERNAL';
}

function describe(ms: number, mode: Mode, refs: Stores): Record<string, string | number> {
  const names = [...new Set(refs.map(({ store }) => store))];
  const more = names.length > MAX_STORES ? `, and ${names.length - MAX_STORES} more` : '';
  return { ms, mode, stores: names.slice(0, MAX_STORES).join(', ') + more };
}
