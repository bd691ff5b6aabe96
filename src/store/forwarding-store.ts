import type { TablogError } from '../base/error.ts';
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
} from './store.ts';

/** A store that hands every call on to `inner`. A subclass replaces the calls that it is about. */
export class ForwardingStore implements Store {
  protected readonly inner: Store;

  constructor(inner: Store) {
    this.inner = inner;
  }

  get closed(): AbortSignal {
    return this.inner.closed;
  }

  get setAside(): string | undefined {
    return this.inner.setAside;
  }

  get isAfterLoss(): boolean {
    return this.inner.isAfterLoss ?? false;
  }

  close(reason?: TablogError): void {
    this.inner.close(reason);
  }

  read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    return this.inner.read(refs);
  }

  readAll<T>(store: string): Promise<T[]> {
    return this.inner.readAll(store);
  }

  readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    return this.inner.readSegments(requests);
  }

  update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.inner.update(refs, decide, options);
  }

  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.inner.updatePartitions(refs, decide, options);
  }
}
