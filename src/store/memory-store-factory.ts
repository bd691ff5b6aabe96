import { logDeleted } from '../base/error.ts';
import type { TablogError } from '../base/error.ts';
import { openMemoryStore } from './memory-store.ts';
import type { StoreFactory } from './store-factory.ts';
import type { Store } from './store.ts';

/** A log and its connections. */
interface MemoryLog {
  readonly store: Store;
  readonly connections: Set<Store>;
}

/**
 * Logs in memory, each as long as what this returned is: for tests, and where nothing has to last.
 * Several brokers of one thread can have a log open, as they can a database; the log stays when they
 * close it.
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
