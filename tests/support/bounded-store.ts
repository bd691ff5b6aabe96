import { STORAGE_FULL } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import type {
  Key,
  PartitionWriter,
  RowRef,
  RowsOf,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from '../../src/store/store.ts';
import { FaultStore } from './fault-store.ts';

/**
 * What deleted rows give back. 'all': their room, once the transaction is complete. 'nothing': no
 * room, as in LevelDB for rows that are no files.
 */
export type GivesBack = 'all' | 'nothing';

/**
 * A store with room for so many bytes. As in browsers, a transaction is refused when what it puts
 * does not fit, whatever it deletes and however small it is.
 */
export class BoundedStore extends FaultStore {
  room: number;
  givesBack: GivesBack;
  readonly #sizes = new Map<string, Map<string, number>>();

  constructor(inner: Store, room: number, givesBack: GivesBack = 'all') {
    super(inner);
    this.room = room;
    this.givesBack = givesBack;
  }

  override update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    const bounded = this.#bound(decide);
    return super.update(refs, bounded.decide, options).then(bounded.completed);
  }

  override updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    const bounded = this.#bound(decide);
    return super.updatePartitions(refs, bounded.decide, options).then(bounded.completed);
  }

  #bound<Rows, W extends Writer, Result>(
    decide: (rows: Rows, write: W) => Synchronous<Result>,
  ): {
    readonly decide: (rows: Rows, write: W) => Synchronous<Result>;
    readonly completed: (result: Result) => Result;
  } {
    let put = 0;
    let changes: (() => void)[] = [];
    const free = (store: string, which: (key: string) => boolean): void => {
      changes.push(() => {
        for (const [key, size] of this.#sizes.get(store) ?? []) {
          if (!which(key)) continue;
          this.#sizes.get(store)!.delete(key);
          if (this.givesBack === 'all') this.room += size;
        }
      });
    };
    return {
      decide: (rows, write) => {
        put = 0;
        changes = [];
        const result = decide(rows, {
          ...write,
          put: (store: string, key: Key, value: unknown) => {
            const size = sizeOf(value);
            put += size;
            free(store, (other) => other === JSON.stringify(key));
            changes.push(() => {
              const sizes = this.#sizes.get(store) ?? new Map<string, number>();
              this.#sizes.set(store, sizes.set(JSON.stringify(key), size));
              this.room -= size;
            });
            write.put(store, key, value);
          },
          delete: (store: string, key: Key) => {
            free(store, (other) => other === JSON.stringify(key));
            write.delete(store, key);
          },
          deleteSegments: (store: string, from: number, to: number) => {
            free(store, (key) => Number(key) >= from && Number(key) < to);
            write.deleteSegments(store, from, to);
          },
          clear: (store: string) => {
            free(store, () => true);
            write.clear(store);
          },
          ...('freePartitions' in write && {
            freePartitions: (numbers: readonly number[]) => {
              for (const number of numbers) {
                free(`partition-${String(number).padStart(3, '0')}`, () => true);
              }
              (write as unknown as PartitionWriter).freePartitions(numbers);
            },
          }),
        });
        if (put > this.room) throw new TablogError(STORAGE_FULL, 'the test has no room for more');
        return result;
      },
      completed: (result) => {
        for (const change of changes) change();
        return result;
      },
    };
  }
}

function sizeOf(value: unknown): number {
  return value instanceof ArrayBuffer ? value.byteLength : JSON.stringify(value).length;
}
