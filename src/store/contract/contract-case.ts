import { TOPICS } from '../schema.ts';
import type { Key, RowRef, Store } from '../store.ts';

/** One case of the store's contract. */
export interface StoreContractCase {
  /** The predicate of a sentence that begins with 'a store'. */
  readonly name: string;
  /**
   * Runs the case: resolves when the store passes, and rejects with an `Error` that shows the wrong
   * result when it fails. `open` opens a store of a new, empty log at each call; the case closes
   * the store.
   */
  readonly run: (open: () => Promise<Store>) => Promise<void>;
}

/** A store under test, with short verbs for the common steps of cases. */
export class Subject {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  async get(key: Key, table: string = TOPICS): Promise<unknown> {
    const [found] = await this.store.read([row(key, table)]);
    return found;
  }

  all(table: string = TOPICS): Promise<unknown[]> {
    return this.store.readAll(table);
  }

  put(key: Key, value: unknown, table: string = TOPICS): Promise<void> {
    return this.store.update([row(key, table)], (_, write) => write.put(table, key, value));
  }
}

export function row(key: Key, store: string = TOPICS): RowRef<unknown> {
  return { store, key };
}

export type Check = (subject: Subject, open: () => Promise<Store>) => Promise<void>;

/** A case over a new store, which is closed when the case ends. */
export function contractCase(name: string, check: Check): StoreContractCase {
  return {
    name,
    async run(open) {
      const store = await open();
      try {
        await check(new Subject(store), open);
      } finally {
        store.close();
      }
    },
  };
}
