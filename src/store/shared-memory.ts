import { logDeleted } from '../base/error.ts';
import type { TablogError } from '../base/error.ts';
import { openMemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';

/** A log and its connections. */
interface MemoryLog {
  readonly store: Store;
  readonly connections: Set<Store>;
}

/**
 * Logs in memory that several brokers of one thread can have open at a time, as they can a
 * database.
 */
export class SharedMemory {
  readonly #logs = new Map<string, MemoryLog>();

  /**
   * Opens a connection, creating the log if it is new. With `mustExist`, rejects with `CLOSED`
   * instead. The log stays when a connection closes.
   */
  async open(name: string, { mustExist }: { readonly mustExist: boolean }): Promise<Store> {
    let log = this.#logs.get(name);
    if (log === undefined) {
      if (mustExist) throw logDeleted(name);
      log = { store: openMemoryStore(), connections: new Set() };
      this.#logs.set(name, log);
    }
    return connect(log);
  }

  names(): readonly string[] {
    return [...this.#logs.keys()];
  }

  /**
   * Deletes the log and closes its connections, with the deletion as the reason. Does nothing where
   * there is no such log.
   */
  delete(name: string): void {
    const log = this.#logs.get(name);
    this.#logs.delete(name);
    const deleted = logDeleted(name);
    for (const connection of log?.connections ?? []) connection.close(deleted);
    log?.store.close(deleted);
  }
}

function connect({ store, connections }: MemoryLog): Store {
  const closing = new AbortController();
  const connection: Store = {
    read: (refs) => store.read(refs),
    readAll: (name) => store.readAll(name),
    readSegments: (requests) => store.readSegments(requests),
    update: (refs, decide, options) => store.update(refs, decide, options),
    updatePartitions: (refs, decide, options) => store.updatePartitions(refs, decide, options),
    closed: closing.signal,
    close: (reason?: TablogError) => {
      connections.delete(connection);
      closing.abort(reason);
    },
  };
  connections.add(connection);
  return connection;
}
