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
  UpdateOptions,
  Writer,
} from '../../src/store/store.ts';

/** The fault of one update or one read. */
export interface Fault {
  /** An update begins after this promise; a read begins at once, and continues after it. */
  readonly until?: Promise<void>;
  /** The call settles after this promise, when its reads and writes are done. */
  readonly answered?: Promise<void>;
  /** The error that the call rejects with. Default: the call succeeds. */
  readonly error?: TablogError;
  /** Whether the update is stored. Default: without an `error`. */
  readonly stored?: boolean;
  /** Closes the connection, with this reason, before the call settles. */
  readonly closes?: TablogError;
}

/**
 * One of several connections to a store. A test can close the connection alone, see its updates,
 * and make its calls fail.
 */
export class FaultStore implements Store {
  readonly #inner: Store;
  readonly #closing = new AbortController();
  readonly #faults: Fault[] = [];
  readonly #readFaults: Fault[] = [];
  readonly #faultsAt = new Map<number, Fault>();
  /** The durability of each update so far. */
  readonly updates: (Durability | undefined)[] = [];
  /** The number of calls of `readSegments` so far. */
  segmentReads = 0;
  /** The number of reads and updates so far. */
  calls = 0;

  constructor(inner: Store) {
    this.#inner = inner;
    const { closed } = inner;
    const follow = (): void => this.close(closed.reason as TablogError);
    if (closed.aborted) follow();
    else closed.addEventListener('abort', follow, { once: true, signal: this.closed });
  }

  get isAfterLoss(): boolean {
    return this.#inner.isAfterLoss ?? false;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Gives the next updates these faults, one each. */
  failNext(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Gives the next reads, of any method, these faults, one each. */
  failNextRead(...faults: readonly Fault[]): void {
    this.#readFaults.push(...faults);
  }

  /** Gives the fault to the call after the next `nth` calls, reads and updates alike. */
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
    options: UpdateOptions = {},
  ): Promise<Result> {
    return this.#update(() => this.#inner.update(refs, decide, options), options.durability);
  }

  async updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options: UpdateOptions = {},
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
