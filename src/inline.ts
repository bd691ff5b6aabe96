import { checkOneOf, withDefaults } from './base/argument.ts';
import { LogBroker } from './broker/log-broker.ts';
import * as decodeErrors from './client/decode-errors.ts';
import { codecsPart } from './client/codecs-part.ts';
import { decodeErrorsPart } from './client/decode-errors-part.ts';
import * as groupMember from './client/group-member.ts';
import { groupMemberPart } from './client/group-member-part.ts';
import { gzipPart } from './client/gzip-part.ts';
import type { HostedLogs, InlineHost } from './client/host.ts';
import * as logFile from './client/log-file.ts';
import { logFilePart } from './client/log-file-part.ts';
import * as runner from './client/runner.ts';
import { runnerPart } from './client/runner-part.ts';
import * as transactor from './client/transactor.ts';
import { transactorPart } from './client/transactor-part.ts';
import * as codecs from './record/codecs.ts';
import * as gzip from './record/gzip.ts';
import { lz4 } from './record/lz4.ts';
import { snappy } from './record/snappy.ts';
import { zstd } from './record/zstd.ts';
import { openIdbStore } from './store/idb-store.ts';
import { SharedMemory } from './store/shared-memory.ts';

export type { HostedLogs, InlineHost } from './client/host.ts';

export interface InlineOptions {
  /**
   * 'indexeddb' (default): the same log that the tabs have. 'memory': logs that only those who open
   * them through the same `inline()` share, gone with it.
   */
  readonly storage?: 'indexeddb' | 'memory';
}

/**
 * Makes a host that runs the broker in the calling thread, for service workers, edge runtimes and
 * tests: `openLog('shop', { host: inline() })`. The host includes all of the code, so that nothing
 * is loaded later, and needs no Web Locks. Leave it out in pages, where a worker keeps the work off
 * the page's thread. A Node process does not exit before `log.close()`. Throws a `TypeError` for a
 * bad option.
 */
export function inline(options: InlineOptions = {}): InlineHost {
  const { storage } = withDefaults<Required<InlineOptions>>('inline()', options, {
    storage: 'indexeddb',
  });
  checkOneOf('storage', storage, ['indexeddb', 'memory']);
  haveParts();
  const memory = storage === 'memory' ? new SharedMemory() : undefined;
  const openStore = memory === undefined ? openIdbStore : memory.open.bind(memory);
  const open: InlineHost['open'] = (log) => {
    const broker = new LogBroker({ name: log, openStore: (options) => openStore(log, options) });
    return { broker, close: () => broker.close() };
  };
  if (memory === undefined) return { open };
  const logs: HostedLogs = {
    list: async () => memory.names(),
    delete: async (log) => memory.delete(log),
  };
  return { open, logs };
}

/** Provides all of the tab's code at once: a service worker has no `import()`. */
function haveParts(): void {
  codecsPart.have(codecs);
  codecs.haveCodecs({ lz4, snappy, zstd });
  decodeErrorsPart.have(decodeErrors);
  groupMemberPart.have(groupMember);
  gzipPart.have(gzip);
  logFilePart.have(logFile);
  runnerPart.have(runner);
  transactorPart.have(transactor);
}
