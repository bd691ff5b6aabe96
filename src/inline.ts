import { checkOneOf, withDefaults } from './base/argument.ts';
import { LogBroker } from './broker/log-broker.ts';
import type { InlineHost } from './client/host.ts';
import { openIdbStore } from './store/idb-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import type { Store } from './store/store.ts';

export type { InlineHost } from './client/host.ts';

export interface InlineOptions {
  /**
   * 'indexeddb' (default): the same log that the tabs have. 'memory': logs that only those who open
   * them through the same `inline()` share, gone with it.
   */
  readonly storage?: 'indexeddb' | 'memory';
}

/**
 * A host that runs the broker in the calling thread: for service workers, edge runtimes and tests.
 * `openLog('shop', { host: inline() })`. A Node process does not exit before `log.close()`.
 */
export function inline(options: InlineOptions = {}): InlineHost {
  const { storage } = withDefaults<Required<InlineOptions>>('inline()', options, {
    storage: 'indexeddb',
  });
  checkOneOf('storage', storage, ['indexeddb', 'memory']);
  const memory = new Map<string, Store>();
  const openMemory = (log: string): Store => {
    let store = memory.get(log);
    if (store === undefined) memory.set(log, (store = openMemoryStore()));
    return shared(store);
  };
  return {
    open(log) {
      const openStore =
        storage === 'memory' ? async () => openMemory(log) : () => openIdbStore(log);
      const broker = new LogBroker({ name: log, openStore });
      return { broker, close: () => broker.close() };
    },
  };
}

/** A store that several brokers have open: one that closes leaves it to the others. */
function shared(store: Store): Store {
  const closing = new AbortController();
  return {
    read: (refs) => store.read(refs),
    readAll: (name) => store.readAll(name),
    readSegments: (requests) => store.readSegments(requests),
    update: (refs, decide, options) => store.update(refs, decide, options),
    extendPool: () => store.extendPool(),
    closed: closing.signal,
    close: (reason) => closing.abort(reason),
  };
}
