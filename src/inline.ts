import { checkOneOf, withDefaults } from './base/argument.ts';
import { LogBroker } from './broker/log-broker.ts';
import * as groupMember from './client/group-member.ts';
import { groupMemberPart } from './client/group-member-part.ts';
import { gzipPart } from './client/gzip-part.ts';
import type { InlineHost } from './client/host.ts';
import * as logFile from './client/log-file.ts';
import { logFilePart } from './client/log-file-part.ts';
import * as runner from './client/runner.ts';
import { runnerPart } from './client/runner-part.ts';
import * as transactor from './client/transactor.ts';
import { transactorPart } from './client/transactor-part.ts';
import * as gzip from './record/gzip.ts';
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
 * A host that runs the broker in the calling thread: for service workers, edge runtimes and tests. It
 * brings all of the code along, so that nothing is loaded later, and needs no Web Locks.
 * `openLog('shop', { host: inline() })`. A Node process does not exit before `log.close()`.
 */
export function inline(options: InlineOptions = {}): InlineHost {
  const { storage } = withDefaults<Required<InlineOptions>>('inline()', options, {
    storage: 'indexeddb',
  });
  checkOneOf('storage', storage, ['indexeddb', 'memory']);
  haveParts();
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

/** A service worker has no `import()`: the host brings all of the tab's code along. */
function haveParts(): void {
  groupMemberPart.have(groupMember);
  gzipPart.have(gzip);
  logFilePart.have(logFile);
  runnerPart.have(runner);
  transactorPart.have(transactor);
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
