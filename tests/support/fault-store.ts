import { CLOSED } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import type {
  Durability,
  PartitionWriter,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Synchronous,
  Writer,
} from '../../src/store/store.ts';

/** What goes wrong with one update or one read. */
export interface Fault {
  /** An update does nothing before this; a read has been made, and is answered after this. */
  readonly until?: Promise<void>;
  /** All is done by now, and is answered after this. */
  readonly answered?: Promise<void>;
  /** What it rejects with; without it, it succeeds. */
  readonly error?: TablogError;
  /** The write is made all the same. */
  readonly stored?: boolean;
  /** The connection is gone, for this reason. */
  readonly closes?: TablogError;
}

/**
 * One connection to a store that others may be connected to as well: it can be closed by itself,
 * writes down every update, and fails when a test says so.
 */
export class FaultStore implements Store {
  readonly #inner: Store;
  readonly #closing = new AbortController();
  readonly #faults: Fault[] = [];
  readonly #readFaults: Fault[] = [];
  readonly #faultsAt = new Map<number, Fault>();
  /** The durability of each update so far. */
  readonly updates: (Durability | undefined)[] = [];
  /** How often segments were read. */
  segmentReads = 0;
  /** How many reads and updates there were. */
  calls = 0;

  constructor(inner: Store) {
    this.#inner = inner;
    const { closed } = inner;
    const follow = (): void => this.close(closed.reason as TablogError);
    if (closed.aborted) follow();
    else closed.addEventListener('abort', follow, { once: true, signal: this.closed });
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** The next updates fail in these ways, one each. */
  failNext(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** The next reads, of whatever kind, fail in these ways, one each. */
  failNextRead(...faults: readonly Fault[]): void {
    this.#readFaults.push(...faults);
  }

  /** The call after the next `nth`, a read or an update, fails in this way. */
  failNth(nth: number, fault: Fault): void {
    this.#faultsAt.set(this.calls + nth, fault);
  }

  close(reason: TablogError = new TablogError(CLOSED, 'the log is closed')): void {
    this.#closing.abort(reason);
  }

  async read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    return this.#read(() => this.#inner.read(refs));
  }

  async readAll<T>(store: string): Promise<T[]> {
    return this.#read(() => this.#inner.readAll<T>(store));
  }

  async readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    this.segmentReads++;
    return this.#read(() => this.#inner.readSegments(requests));
  }

  async update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options: { readonly durability?: Durability } = {},
  ): Promise<Result> {
    return this.#update(() => this.#inner.update(refs, decide, options), options.durability);
  }

  async updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options: { readonly durability?: Durability } = {},
  ): Promise<Result> {
    const update = (): Promise<Result> => this.#inner.updatePartitions(refs, decide, options);
    return this.#update(update, options.durability);
  }

  async #update<T>(update: () => Promise<T>, durability: Durability | undefined): Promise<T> {
    this.closed.throwIfAborted();
    this.updates.push(durability);
    const fault = this.#nextFault(this.#faults);
    const { until, answered, error, stored = error === undefined, closes } = fault;
    await until;
    const result = stored ? await update() : undefined;
    if (closes !== undefined) this.close(closes);
    if (answered !== undefined) await answered;
    if (error !== undefined) throw error;
    return result as T;
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    this.closed.throwIfAborted();
    const { until, answered, error, closes } = this.#nextFault(this.#readFaults);
    const result = await read();
    await until;
    if (closes !== undefined) this.close(closes);
    if (answered !== undefined) await answered;
    if (error !== undefined) throw error;
    return result;
  }

  #nextFault(queue: Fault[]): Fault {
    return this.#faultsAt.get(this.calls++) ?? queue.shift() ?? {};
  }
}
