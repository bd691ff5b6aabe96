import { toTablogError } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import { ForwardingStore } from '../../store/forwarding-store.ts';
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
export class ObservedStore extends ForwardingStore {
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  #transactions = 0;
  #inFlight = 0;

  constructor(inner: Store, clock: Clock, diagnostics: Diagnostics) {
    super(inner);
    this.#clock = clock;
    this.#diagnostics = diagnostics;
  }

  /** The transactions that have not ended, and all so far. */
  get counts(): { readonly transactionsInFlight: number; readonly transactions: number } {
    return { transactionsInFlight: this.#inFlight, transactions: this.#transactions };
  }

  override read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    return this.#observe('read', refs, super.read(refs));
  }

  override readAll<T>(store: string): Promise<T[]> {
    return this.#observe('read', [{ store }], super.readAll<T>(store));
  }

  override readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    return this.#observe('read', requests, super.readSegments(requests));
  }

  override update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#observe('write', refs, super.update(refs, decide, options));
  }

  override updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#observe('write', refs, super.updatePartitions(refs, decide, options));
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
