import { PRODUCERS } from '../schema.ts';

// Faults of engines that a store has to avoid. No feature tells an engine, so its name does.

/**
 * The store that every write has in its scope, so that no two writes of a log are under way at once.
 *
 * Chromium on LevelDB deletes all databases of the origin, if it was killed amid two writes to one
 * database: at the next start it undoes unfinished writes under the locks that they held, both held
 * one of the database, and a lock that is taken twice counts as corruption. Two writes to other
 * stores of a log cost the log in 4 kills of 448. The other engines run one write at a time in any
 * case. Readers of the store wait for every write, so it is a store that hardly anything reads.
 */
export const STORE_OF_EVERY_WRITE: string = PRODUCERS;

/**
 * Whether a transaction that is not the only one, or that was told to commit, may stay open for ever
 * when this context ends: in a worker of WebKit.
 *
 * WebKit ends a worker as its last page is reloaded, closed or left, amid whatever the worker does.
 * The database server is then told of the end of a transaction that is alone and has no `commit()`
 * yet. Any other stays, and every connection waits for it: with WebKitGTK 2.50, a busy page could
 * not open its log after 8 of 20 reloads.
 */
export function keepsEndedTransactions(): boolean {
  if (!('WorkerGlobalScope' in globalThis)) return false;
  return /\bAppleWebKit\//.test(userAgent()) && !/Chrom(e|ium)\//.test(userAgent());
}

/**
 * Whether a transaction that was told to commit completes without a write that failed: in Firefox,
 * unless the write is the transaction's last. On a full disk some writes fail and others do not, so
 * Firefox 153 stored the head of a partition without its records.
 */
export function losesFailedWrites(): boolean {
  return /\bFirefox\//.test(userAgent());
}

function userAgent(): string {
  const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } };
  return navigator?.userAgent ?? '';
}
