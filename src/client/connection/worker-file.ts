import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { newSharedWorker, newWorker } from '../../new-worker.ts';
import type { WorkerKind } from './worker-host.ts';
import type { WorkerUrl } from './worker-url.ts';

/** The server's answer for the worker's file. */
export interface Answer {
  readonly status: number;
  /** Lower case, without parameters: 'text/html'; '' where the server names none. */
  readonly contentType: string;
  /** The address after all redirects. */
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
}

/** The deadline of the second load of the file, in milliseconds. */
const FETCH_DEADLINE_MS = 3_000;

/** The address that the worker is loaded from; `undefined` where it is no valid URL. */
export function addressOf(kind: WorkerKind, url: WorkerUrl | undefined): URL | undefined {
  try {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    const address = url ?? defaultAddress(kind);
    return address === undefined ? undefined : new URL(String(address), base);
  } catch {
    return undefined;
  }
}

/**
 * The address that a bundler has put in place of the literal. Only the worker's constructor gets to
 * see it, so a stand-in replaces the constructor during this call, in which no other code runs.
 */
function defaultAddress(kind: WorkerKind): string | undefined {
  const name = kind === 'shared' ? 'SharedWorker' : 'Worker';
  const real = Object.getOwnPropertyDescriptor(globalThis, name);
  if (real === undefined) return undefined;
  let given: string | undefined;
  const standIn = function (url: string | URL): void {
    given = String(url);
  };
  Object.assign(globalThis, { [name]: standIn });
  try {
    (kind === 'shared' ? newSharedWorker : newWorker)('');
  } finally {
    Object.defineProperty(globalThis, name, real);
  }
  return given;
}

/**
 * Fetches the file as the browser did for the worker. Rejects where the fetch fails or takes too
 * long.
 */
export function fetchAnswer(url: URL, clock: Clock): Promise<Answer> {
  const given = new AbortController();
  const fetched = (async (): Promise<Answer> => {
    const response = await fetch(url, { cache: 'no-store', signal: given.signal });
    const type = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      contentType: type.split(';')[0]!.trim().toLowerCase(),
      url: response.url,
      headers: response.headers,
      text: await response.text(),
    };
  })();
  return withDeadline(clock, FETCH_DEADLINE_MS, fetched, () => {
    given.abort();
    return new Error(`no answer within ${FETCH_DEADLINE_MS} ms`);
  });
}

/**
 * The modules that a module's text imports statically, in order; found by a pattern, good enough
 * for a message.
 */
export function importsOf(text: string): string[] {
  const found = text.matchAll(
    /(?:^|[;}\n])\s*(?:import|export)\s*(?:[\w$*{][^'"`;()]*?\bfrom\s*)?(["'])([^"'\n]+)\1/g,
  );
  return [...new Set(Array.from(found, ([, , specifier]) => specifier!))];
}
