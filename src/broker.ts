import { checkEach, checkMethods, checkName } from './base/argument.ts';
import { openBroker as open } from './broker/open-broker.ts';
import type { BrokerOptions } from './broker/open-broker.ts';
import { serveWorker as serve } from './broker/serve-worker.ts';
import type { ServeWorkerOptions, WorkerScope } from './broker/serve-worker.ts';
import { checkPlatform } from './platform/platform.ts';
import type { Broker } from './protocol/broker.ts';

export { logDeleted } from './base/error.ts';
export type { BrokerOptions } from './broker/open-broker.ts';
export type { ServeWorkerOptions, WorkerScope } from './broker/serve-worker.ts';
export type { Channel } from './platform/broadcast.ts';
export { systemClock } from './platform/clock.ts';
export type { Clock } from './platform/clock.ts';
export type { Locks } from './platform/platform.ts';
export type { Platform } from './platform/platform.ts';
export type { RandomSource } from './platform/random-id.ts';
export type { Broker, Method, Request, Response } from './protocol/broker.ts';
export { idbStore } from './store/indexeddb/idb-store-factory.ts';
export { memoryStore } from './store/memory-store-factory.ts';
export { newLogRows, numberedPartitions } from './store/numbered-partitions.ts';
export type { PlacedRow } from './store/numbered-partitions.ts';
export { checkFormat, logRef, partitionStore, topicsVersionRef } from './store/schema.ts';
export type { LogRow, TopicsVersionRow } from './store/schema.ts';
export { storeError } from './store/store-error.ts';
export type { StoreErrorCode, StoreErrorOptions } from './store/store-error.ts';
export type { OpenStoreOptions, StoreFactory } from './store/store-factory.ts';
export type {
  Durability,
  Key,
  PartitionWriter,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  StoredSegment,
  Synchronous,
  Writer,
} from './store/store.ts';

/** A broker, in the shape that `InlineHost.open` returns. */
export interface OpenedBroker {
  readonly broker: Broker;
  /** Closes the broker and its store; later calls reject with `CLOSED`. Idempotent. */
  readonly close: () => void;
}

/**
 * Makes a broker of the log, in this thread, over a store and a platform of your own. The broker
 * opens the store at its first call. Any number of brokers may serve one log, because every
 * decision is a transaction of the store. `openLog` takes a store of your own by `inline({ store
 * })` of 'tablog/inline'. Use `openBroker` for a host of your own, such as one whose calls come
 * over a network:
 *
 *     const host: InlineHost = { open: (log) => openBroker({ log, store }) };
 *
 * Throws a `TypeError` for a bad name, store, platform or option. Calls to the broker reject when
 * the store cannot be opened.
 */
export function openBroker(options: BrokerOptions): OpenedBroker {
  const checked = checkEach<BrokerOptions>('openBroker()', options, {
    log: (_, log) => checkName('log name', log),
    store: checkOpens,
    platform: checkPlatform,
  });
  checkName('log name', checked.log);
  checkOpens('store', checked.store);
  const broker = open(checked);
  return { broker, close: () => broker.close() };
}

/**
 * Serves every log, by its name, to the tabs that connect to this worker. A worker's file needs
 * nothing else:
 *
 *     import { serveWorker } from 'tablog/broker';
 *     serveWorker(self, { store });
 *
 * A page starts the worker by `openLog('shop', { workerUrl })`. Call `serveWorker` in the first
 * turn of the file: ports that connect before the call are lost. `scope` is the worker's `self`, or
 * a `MessagePort` to one tab. The platform needs locks: without locks a tab's hello fails with
 * `LOCKS_UNAVAILABLE`.
 *
 * `deleteLog` and `listLogs` of a page do not ask the worker: without a host they delete and list
 * logs in IndexedDB. Logs of another store are listed and deleted by its own `list` and `delete`.
 *
 * Throws a `TypeError` for a bad scope, store, platform or option.
 */
export function serveWorker(scope: WorkerScope, options: ServeWorkerOptions): void {
  checkMethods("serveWorker()'s scope", scope, ['postMessage', 'addEventListener']);
  const checked = checkEach<ServeWorkerOptions>('serveWorker()', options, {
    store: checkOpens,
    platform: checkPlatform,
  });
  checkOpens('store', checked.store);
  serve(scope, checked);
}

function checkOpens(what: string, store: unknown): void {
  checkMethods(what, store, ['open']);
}
