import { CLOSED } from '../base/error-rules.ts';
import { TablogError, logDeleted } from '../base/error.ts';
import { openMemoryStore } from './memory-store.ts';
import type { StoreFactory } from './store-factory.ts';
import type { Store } from './store.ts';

/** A log and its connections. */
interface MemoryLog {
  readonly store: Store;
  readonly connections: Set<Store>;
}

/**
 * Logs in memory, which last as long as the returned factory: for tests, and for logs that need not
 * outlive their context. Several brokers of one thread can open the same log, as several
 * connections can open one database. The log stays when they close it.
 */
export function memoryStore(): StoreFactory {
  const logs = new Map<string, MemoryLog>();
  return {
    async open(name, { mustExist, clock, crypto }) {
      let log = logs.get(name);
      if (log === undefined) {
        if (mustExist) throw logDeleted(name);
        log = { store: openMemoryStore(clock.now(), crypto), connections: new Set() };
        logs.set(name, log);
      }
      return connect(log);
    },
    list: async () => [...logs.keys()],
    async delete(name) {
      const log = logs.get(name);
      logs.delete(name);
      const deleted = logDeleted(name);
      for (const connection of log?.connections ?? []) connection.close(deleted);
      log?.store.close(deleted);
    },
  };
}

function connect({ store, connections }: MemoryLog): Store {
  const closing = new AbortController();
  const open = (): Store => {
    closing.signal.throwIfAborted();
    return store;
  };
  const connection: Store = {
    read: async (refs) => open().read(refs),
    readAll: async (name) => open().readAll(name),
    readSegments: async (requests) => open().readSegments(requests),
    update: async (refs, decide, options) => open().update(refs, decide, options),
    updatePartitions: async (refs, decide, options) =>
      open().updatePartitions(refs, decide, options),
    closed: closing.signal,
    close: (reason = new TablogError(CLOSED, 'the log is closed')) => {
      connections.delete(connection);
      closing.abort(reason);
    },
  };
  connections.add(connection);
  return connection;
}
