import { LOCKS_UNAVAILABLE, WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError, isPassing } from '../../base/error.ts';
import { errorText } from '../../base/error-text.ts';
import { withDeadline } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { hasLocks, withLock } from './locks.ts';
import type { GivenLocks } from '../platform.ts';
import { randomId } from '../random-id.ts';
import type { RandomSource } from '../random-id.ts';

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
 * Holds the lock of `id` until `signal` aborts; resolves once the lock is held. Calls `lost` when
 * the browser takes the held lock away. Throws `LOCKS_UNAVAILABLE` where Web Locks are missing or
 * refused, as in a sandboxed frame and where site data is blocked: from then on `hasLocks` is false.
 * Throws `WORKER_LOST` in a page that goes away.
 */
export function holdLivenessLock(
  role: Role,
  id: string,
  signal: AbortSignal,
  lost: () => void,
  locks?: GivenLocks,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let isHeld = false;
    const hold = (): Promise<void> => {
      isHeld = true;
      resolve();
      return aborted(signal);
    };
    withLock(lockName(role, id), {}, hold, locks).catch((error: unknown) => {
      if (!isHeld) reject(error instanceof TablogError ? error : pageGoes(error));
      else if (!signal.aborted) lost();
    });
  });
}

/**
 * The deadline of a liveness lock, in milliseconds. Nobody else asks for the lock of a new random
 * id, so a browser that does not grant it at once hangs. Shorter than the deadline of a worker's
 * hello, whose error would not name the lock.
 */
const LOCK_DEADLINE_MS = 3_000;
/** The same for locks of a platform, which may wait for a storage before they are refused. */
const GIVEN_LOCK_DEADLINE_MS = 10_000;

/**
 * Settles as the result of `holdLivenessLock` does. Throws `LOCKS_UNAVAILABLE` at the deadline; the
 * request stays, and `held` may still resolve.
 */
export function heldInTime<T>(clock: Clock, held: Promise<T>, locks?: GivenLocks): Promise<T> {
  const [ms, whose, next] =
    locks === undefined
      ? [
          LOCK_DEADLINE_MS,
          'navigator.locks has',
          'The browser hangs: try again, or start it again.',
        ]
      : [
          GIVEN_LOCK_DEADLINE_MS,
          "the platform's locks have",
          'See what keeps them, then try again.',
        ];
  return withDeadline(clock, ms, held, () => {
    const rule = { ...LOCKS_UNAVAILABLE, retriable: true, next };
    const happened = `${whose} neither granted nor refused a lock in ${ms} ms`;
    return new TablogError(rule, happened);
  });
}

function pageGoes(cause: unknown): TablogError {
  const happened = `the browser gives no lock to a page that goes away (${errorText(cause)})`;
  return new TablogError(WORKER_LOST, happened, { cause });
}

export interface LivenessLockOptions {
  /** The lock is held until this signal aborts. */
  readonly signal: AbortSignal;
  /** Called when the browser has taken the lock away. Peers have taken the holder for dead. */
  readonly onLost?: () => void;
  readonly locks?: GivenLocks;
  readonly crypto?: RandomSource | undefined;
}

/**
 * The liveness lock of a client or broker, over all losses. The browser can take a lock from a living
 * holder: a script of the origin steals it, and WebKit frees the locks of a page that goes into the
 * back/forward cache. Peers then take the holder for dead, and nothing else happens to it. The
 * holder goes on under another id, because the lock of the old id may stay with the thief.
 *
 * https://w3c.github.io/web-locks/#dom-lockoptions-steal
 */
export class LivenessLock {
  readonly #role: Role;
  readonly #options: LivenessLockOptions;
  #id: string;
  /** Ends the hold of the lock of `#id`. */
  #holding = new AbortController();
  #held: Promise<string> | undefined;

  constructor(role: Role, options: LivenessLockOptions) {
    this.#role = role;
    this.#options = options;
    this.#id = randomId(options.crypto);
    const end = (): void => this.#holding.abort();
    options.signal.addEventListener('abort', end, { once: true });
  }

  /** The id of the lock. Changes when the lock is lost. */
  get id(): string {
    return this.#id;
  }

  /** Resolves with the id once its lock is held. Throws as `holdLivenessLock`. */
  hold(): Promise<string> {
    if (this.#held === undefined) {
      const held = this.#request();
      this.#held = held;
      held.catch((error: unknown) => {
        // A refusal is for good; a page that goes away may come back, and request the lock again.
        if (this.#held === held && isPassing(error)) this.#held = undefined;
      });
    }
    return this.#held;
  }

  /** Gives the lock up, and holds the lock of another id. */
  renew(): void {
    this.#holding.abort();
    if (this.#options.signal.aborted) return;
    this.#holding = new AbortController();
    this.#id = randomId(this.#options.crypto);
    this.#held = undefined;
    this.hold().catch(() => {}); // the next `hold` rejects with the reason
  }

  async #request(): Promise<string> {
    const id = this.#id;
    const { signal } = this.#holding;
    const { locks, onLost } = this.#options;
    const lost = (): void => {
      this.renew();
      onLost?.();
    };
    await holdLivenessLock(this.#role, id, signal, lost, locks);
    return id;
  }
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
