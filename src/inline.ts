import { checkEach, checkOneOf, mistake } from './base/argument.ts';
import { openBroker } from './broker/open-broker.ts';
import { takingTurns } from './broker/waiting/taking-turns.ts';
import * as decodeErrors from './client/poll/decode-errors.ts';
import { lazyCodecs } from './client/fetch/lazy-codecs.ts';
import { lazyDecodeErrors } from './client/poll/lazy-decode-errors.ts';
import * as groupMember from './client/group/group-member.ts';
import { lazyGroupMember } from './client/group/lazy-group-member.ts';
import { lazyGzip } from './client/fetch/lazy-gzip.ts';
import type { HostedLogs, InlineHost } from './client/connection/worker-host.ts';
import * as adminCalls from './client/admin/admin-calls.ts';
import { lazyAdminCalls } from './client/admin/lazy-admin-calls.ts';
import * as heldSubmissions from './client/producer/held-submissions.ts';
import { lazyHeldSubmissions } from './client/producer/lazy-held-submissions.ts';
import * as rawBatches from './client/producer/raw-batches.ts';
import { lazyRawBatches } from './client/producer/lazy-raw-batches.ts';
import * as batchFailure from './client/producer/batch-failure.ts';
import { lazyBatchFailure } from './client/producer/lazy-batch-failure.ts';
import * as logCalls from './client/admin/log-calls.ts';
import { lazyLogCalls } from './client/admin/lazy-log-calls.ts';
import * as logStatuses from './client/status/log-statuses.ts';
import { lazyLogStatuses } from './client/status/lazy-log-statuses.ts';
import { lazyStoredBatches } from './client/poll/lazy-stored-batches.ts';
import * as storedBatches from './client/poll/stored-batches.ts';
import * as runner from './client/run/runner.ts';
import { lazyRunner } from './client/run/lazy-runner.ts';
import * as transactor from './client/transaction/transaction-manager.ts';
import * as witnessWriter from './client/connection/witness-writer.ts';
import { lazyWitnessWriter } from './client/connection/lazy-witness-writer.ts';
import { lazyTransactionManager } from './client/transaction/lazy-transaction-manager.ts';
import * as codecs from './record/compression/codecs.ts';
import * as gzip from './record/compression/gzip.ts';
import { lz4 } from './record/compression/lz4.ts';
import { snappy } from './record/compression/snappy.ts';
import { zstd } from './record/compression/zstd.ts';
import { checkPlatform } from './platform/platform.ts';
import type { Platform } from './platform/platform.ts';
import { idbStore } from './store/indexeddb/idb-store-factory.ts';
import { memoryStore } from './store/memory-store-factory.ts';
import { checkStoreFactory } from './store/store-factory.ts';
import type { StoreFactory } from './store/store-factory.ts';

export type { HostedLogs, InlineHost } from './client/connection/worker-host.ts';

export interface InlineOptions {
  /**
   * 'indexeddb' (default): the logs that the tabs of this origin share. 'memory': logs that only
   * the openers through this one `inline()` share, and that last as long as its result.
   */
  readonly storage?: 'indexeddb' | 'memory';
  /**
   * A store of your own, in place of `storage`: see `StoreFactory` of 'tablog/broker'. Default:
   * none.
   */
  readonly store?: StoreFactory;
  /**
   * The clock, locks, channels and random source of the broker: see `Platform` of 'tablog/broker'.
   * Default: those of `store`, and then the web's globals of this context. Leave it out unless this
   * context lacks those globals, or has faulty ones.
   */
  readonly platform?: Platform;
}

/**
 * Makes a host that runs the broker in the calling thread, for service workers, edge runtimes and
 * tests: `openLog('shop', { host: inline() })`. The host includes all of the code, so no module is
 * loaded later, and it needs no Web Locks. Leave it out in pages, where a worker keeps the broker's
 * work off the page's thread. A Node process does not exit before `log.close()`. Throws a
 * `TypeError` for a bad option.
 */
export function inline(options: InlineOptions = {}): InlineHost {
  if (typeof (options as Partial<StoreFactory>).open === 'function') {
    throw mistake('inline() takes a store as inline({ store })', options);
  }
  const { storage, store, platform } = checkEach<InlineOptions>('inline()', options, {
    storage: (what, value) => checkOneOf(what, value, ['indexeddb', 'memory']),
    store: checkStoreFactory,
    platform: checkPlatform,
  });
  if (storage !== undefined && store !== undefined) {
    throw new TypeError('inline() takes storage or store, and got both');
  }
  haveParts();
  const own = store ?? (storage === 'memory' ? memoryStore() : undefined);
  const given = (platform ?? own?.platform) && { platform: { ...own?.platform, ...platform } };
  const open: InlineHost['open'] = (log) => {
    const broker = openBroker({ log, store: own ?? idbStore(), ...given });
    return { broker: takingTurns(broker), close: () => broker.close() };
  };
  if (own === undefined) return { open, ...given };
  const logs: HostedLogs = { list: () => own.list(), delete: (log) => own.delete(log) };
  return { open, logs, ...given, isOneThread: store === undefined };
}

/**
 * Provides all of the tab's lazy modules at once, because a service worker has no `import()`:
 * https://html.spec.whatwg.org/multipage/webappapis.html#hostloadimportedmodule
 */
function haveParts(): void {
  lazyAdminCalls.provide(adminCalls);
  lazyCodecs.provide(codecs);
  codecs.provideCodecs({ lz4, snappy, zstd });
  lazyDecodeErrors.provide(decodeErrors);
  lazyGroupMember.provide(groupMember);
  lazyGzip.provide(gzip);
  lazyRawBatches.provide(rawBatches);
  lazyLogCalls.provide(logCalls);
  lazyLogStatuses.provide(logStatuses);
  lazyHeldSubmissions.provide(heldSubmissions);
  lazyStoredBatches.provide(storedBatches);
  lazyRunner.provide(runner);
  lazyBatchFailure.provide(batchFailure);
  lazyTransactionManager.provide(transactor);
  lazyWitnessWriter.provide(witnessWriter);
}
