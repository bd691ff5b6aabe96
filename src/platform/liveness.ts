import { hasLocks, withLock } from './locks.ts';

/**
 * Detects the death of tabs and workers. Each client and each broker holds a Web Lock named after
 * its random id, and the peers of that client or broker queue for that lock. The browser grants the
 * lock within milliseconds after its holder is gone, without a timer: closed, crashed or discarded.
 *
 * A lock tells of a death and of nothing else: epochs, and never locks, decide who may write.
 */

export type Role = 'client' | 'broker';

/** Tells a broker of the deaths of clients and other brokers. */
export interface Liveness {
  /** Calls `died` once when the holder of `id`'s lock is gone; never after `signal` aborts. */
  onDeath(role: Role, id: string, signal: AbortSignal, died: () => void): void;
  /** Whether `id`'s lock is held now. */
  isAlive(role: Role, id: string): Promise<boolean>;
}

/**
 * Liveness by Web Locks. Without Web Locks all clients share the broker's thread, and none dies
 * alone.
 */
export function lockLiveness(): Liveness {
  return { onDeath, isAlive };
}

/**
 * Holds the lock of `id` until `signal` aborts; resolves once the lock is held. Throws
 * `LOCKS_UNAVAILABLE` where Web Locks are missing or refused, as in a sandboxed frame and where
 * site data is blocked. From then on `hasLocks` is false.
 */
export function holdLivenessLock(role: Role, id: string, signal: AbortSignal): Promise<void> {
  return new Promise((held, failed) => {
    withLock(lockName(role, id), {}, async () => {
      held();
      await aborted(signal);
    }).catch(failed);
  });
}

/** Calls `died` once when the holder of `id`'s lock is gone; never after `signal` aborts. */
export function onDeath(role: Role, id: string, signal: AbortSignal, died: () => void): void {
  if (!hasLocks()) return;
  // 'shared', so that the browser grants the lock to all waiting peers at once.
  withLock(lockName(role, id), { mode: 'shared', signal }, () => {
    if (!signal.aborted) died();
  }).catch(() => {
    // The wait was aborted, the page is unloading, or the browser refuses locks. No caller can know.
  });
}

async function isAlive(role: Role, id: string): Promise<boolean> {
  if (!hasLocks()) return true;
  const options = { mode: 'shared', ifAvailable: true } as const;
  return withLock(lockName(role, id), options, (lock) => lock === null);
}

/**
 * Runs `work` unless another context runs work of the same `name` now. Without Web Locks it always
 * runs.
 */
export async function runIfLockAvailable(name: string, work: () => Promise<void>): Promise<void> {
  if (!hasLocks()) return work();
  await withLock(`tablog/${name}`, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

function lockName(role: Role, id: string): string {
  return `tablog/${role}/${id}`;
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
