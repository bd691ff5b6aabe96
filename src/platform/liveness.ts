import { LOCKS_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { withDeadline } from './clock.ts';
import type { Clock } from './clock.ts';
import { hasLocks, withLock } from './locks.ts';
import type { GivenLocks } from './locks.ts';

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
export function lockLiveness(locks?: GivenLocks): Liveness {
  return {
    onDeath: (role, id, signal, died) => onDeath(role, id, signal, died, locks),
    isAlive: (role, id) => isAlive(role, id, locks),
  };
}

/**
 * Holds the lock of `id` until `signal` aborts; resolves once the lock is held. Throws
 * `LOCKS_UNAVAILABLE` where Web Locks are missing or refused, as in a sandboxed frame and where
 * site data is blocked. From then on `hasLocks` is false.
 */
export function holdLivenessLock(
  role: Role,
  id: string,
  signal: AbortSignal,
  locks?: GivenLocks,
): Promise<void> {
  return new Promise((held, failed) => {
    const hold = (): Promise<void> => {
      held();
      return aborted(signal);
    };
    withLock(lockName(role, id), {}, hold, locks).catch(failed);
  });
}

/**
 * The deadline of a liveness lock, in milliseconds. Nobody else asks for the lock of a new random
 * id, so a browser that does not grant it at once hangs. Shorter than the deadline of a worker's
 * hello, whose error would not name the lock.
 */
const LOCK_DEADLINE_MS = 3_000;

/**
 * Settles as the result of `holdLivenessLock` does. Throws `LOCKS_UNAVAILABLE` at the deadline; the
 * request stays, and `held` may still resolve.
 */
export function heldInTime(clock: Clock, held: Promise<void>): Promise<void> {
  return withDeadline(clock, LOCK_DEADLINE_MS, held, () => {
    const next = 'The browser hangs: try again, or start it again.';
    const rule = { ...LOCKS_UNAVAILABLE, retriable: true, next };
    const happened = `navigator.locks has neither granted nor refused a lock in ${LOCK_DEADLINE_MS} ms`;
    return new TablogError(rule, happened);
  });
}

/** Calls `died` once when the holder of `id`'s lock is gone; never after `signal` aborts. */
export function onDeath(
  role: Role,
  id: string,
  signal: AbortSignal,
  died: () => void,
  locks?: GivenLocks,
): void {
  if (!hasLocks(locks)) return;
  const granted = (): void => {
    if (!signal.aborted) died();
  };
  // 'shared', so that the browser grants the lock to all waiting peers at once.
  withLock(lockName(role, id), { mode: 'shared', signal }, granted, locks).catch(() => {
    // The wait was aborted, the page is unloading, or the browser refuses locks. No caller can
    // know.
  });
}

async function isAlive(role: Role, id: string, locks: GivenLocks): Promise<boolean> {
  if (!hasLocks(locks)) return true;
  const options = { mode: 'shared', ifAvailable: true } as const;
  return withLock(lockName(role, id), options, (lock) => lock === null, locks);
}

/**
 * Runs `work` unless another context runs work of the same `name` now. Without Web Locks it always
 * runs.
 */
export async function runIfLockAvailable(
  name: string,
  work: () => Promise<void>,
  locks?: GivenLocks,
): Promise<void> {
  if (!hasLocks(locks)) return work();
  const granted = async (lock: Lock | null): Promise<void> => {
    if (lock !== null) await work();
  };
  await withLock(`tablog/${name}`, { ifAvailable: true }, granted, locks);
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
