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
export type { Locks } from './platform/locks.ts';
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
  /** Closes the broker and its store; calls reject with `CLOSED` from then on. Idempotent. */
  readonly close: () => void;
}

/**
 * Makes a broker of the log, in this thread, over a store and a platform of your own. It opens the
 * store at the first call. Any number of brokers may serve one log: what decides is the store's
 * transaction. `inline({ store })` of 'tablog/inline' is this for `openLog`; use `openBroker` for a
 * host of your own, as for calls that come by a network:
 *
 *     const host: InlineHost = { open: (log) => openBroker({ log, store }) };
 *
 * Throws a `TypeError` for a bad name, store, platform or option. What cannot be opened is told by
 * the calls.
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
 * Serves every log by name to whoever connects to this worker: the whole of a worker's file.
 *
 *     import { serveWorker } from 'tablog/broker';
 *     serveWorker(self, { store });
 *
 * A page starts it by `openLog('shop', { workerUrl })`. Call it in the first turn of the file, as
 * ports that connect before it are not heard. `scope` is the worker's `self`, or a `MessagePort` to
 * one tab. The platform needs locks: without them a tab's hello fails with `LOCKS_UNAVAILABLE`.
 *
 * `deleteLog` and `listLogs` of a page do not ask the worker: they are about IndexedDB unless they
 * get a host. Logs of another store are listed and deleted by its own `list` and `delete`.
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
