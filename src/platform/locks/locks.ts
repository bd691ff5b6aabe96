import { LOCKS_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { errorText } from '../../base/error-text.ts';
import type { GivenLocks, Locks } from '../platform.ts';

/**
 * Lock managers that have refused a request, as in a sandboxed frame or where site data is blocked.
 */
const refusing = new WeakSet<Locks>();

/**
 * The locks that can be used; `undefined` where they are missing or have refused a request. An
 * insecure context and most runtimes without a page have none; in happy-dom the property is null.
 */
function usable(given: GivenLocks): Locks | undefined {
  const locks = given === undefined ? (globalThis.navigator?.locks as GivenLocks) : given;
  return locks === null || locks === undefined || refusing.has(locks) ? undefined : locks;
}

export function hasLocks(given?: GivenLocks): boolean {
  return usable(given) !== undefined;
}

/**
 * Requests a Web Lock, and runs `granted` with it. Throws `LOCKS_UNAVAILABLE` where locks are
 * missing or refused, and otherwise as `request` of the locks does.
 */
export async function withLock<T>(
  name: string,
  options: LockOptions,
  granted: (lock: Lock | null) => T | Promise<T>,
  given?: GivenLocks,
): Promise<T> {
  const locks = usable(given);
  if (locks === undefined) throw locksUnavailable('this context has no Web Locks');
  let isAnswered = false;
  try {
    return await locks.request(name, options, (lock) => {
      isAnswered = true;
      return granted(lock);
    });
  } catch (error) {
    // An aborted request, or one of a page that is unloading, says nothing about later requests. Nor
    // does a failure of the storage in which a store of its own keeps its locks.
    const isPassing = PASSING.has((error as Partial<Error> | null)?.name);
    if (isAnswered || isPassing || error instanceof TablogError) throw error;
    refusing.add(locks);
    throw locksUnavailable('the browser refuses Web Locks to this context', error);
  }
}

/** The names of all locks of the origin that are held. */
export async function heldLocks(given?: GivenLocks): Promise<string[]> {
  const { held = [] } = (await usable(given)?.query()) ?? {};
  return held.flatMap(({ name }) => name ?? []);
}

/** The browser's id of the client that holds the lock `name`. */
export async function lockHolder(name: string, given?: GivenLocks): Promise<string | undefined> {
  const { held = [] } = (await usable(given)?.query()) ?? {};
  return held.find((lock) => lock.name === name)?.clientId;
}

const PASSING: ReadonlySet<string | undefined> = new Set(['AbortError', 'InvalidStateError']);

function locksUnavailable(happened: string, cause?: unknown): TablogError {
  const why = cause === undefined ? '' : ` (${errorText(cause)})`;
  return new TablogError(LOCKS_UNAVAILABLE, `${happened}${why}`, { cause });
}
