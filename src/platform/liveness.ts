import { hasLocks, withLock } from './locks.ts';

/**
 * Who is alive: each client and each broker holds a Web Lock named after its random id, and whoever
 * depends on it queues for that lock. The browser grants it when the holder is gone, for whatever
 * reason, within milliseconds and without a timer.
 *
 * A lock tells of a death and of nothing else: it never decides who may write.
 */

export type Role = 'client' | 'broker';

/** How a broker learns of deaths. */
export interface Liveness {
  /** Calls `died` once when the holder of `id`'s lock is gone; never after `signal` aborts. */
  onDeath(role: Role, id: string, signal: AbortSignal, died: () => void): void;
  /** Whether `id`'s lock is held now. */
  isAlive(role: Role, id: string): Promise<boolean>;
}

/** By Web Locks; where there are none, in one thread with everybody else, nobody dies. */
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
  // 'shared', so that everyone who waits is told at once.
  withLock(lockName(role, id), { mode: 'shared', signal }, () => {
    if (!signal.aborted) died();
  }).catch(() => {
    // The wait was aborted, the page is going away, or the browser refuses: no caller can be told.
  });
}

async function isAlive(role: Role, id: string): Promise<boolean> {
  if (!hasLocks()) return true;
  const options = { mode: 'shared', ifAvailable: true } as const;
  return withLock(lockName(role, id), options, (lock) => lock === null);
}

/** Runs `work` unless somebody is at the work of this `name`; at once where there are no locks. */
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
