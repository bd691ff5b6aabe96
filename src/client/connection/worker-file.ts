import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { newSharedWorker, newWorker } from '../../new-worker.ts';
import type { WorkerKind } from './worker-host.ts';
import type { WorkerUrl } from './worker-url.ts';

/** The server's answer for the worker's file. */
export interface Answer {
  readonly status: number;
  /**
   * The media type in lower case, without parameters: 'text/html'; '' where the answer has no
   * Content-Type.
   */
  readonly contentType: string;
  /** The address after all redirects. */
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
}

/** The deadline of the page's own fetch of the file, in milliseconds. */
const FETCH_DEADLINE_MS = 3_000;

/** The address that the worker is loaded from; `undefined` for an invalid URL. */
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
 * The address that a bundler has put in place of the literal in new-worker.ts. The literal is an
 * argument of the worker's constructor alone, so a stand-in replaces the global constructor and
 * records the argument. The replacement ends within this synchronous call, so no other code sees
 * the stand-in.
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

/** Fetches the worker's file. Rejects where the fetch fails or exceeds `FETCH_DEADLINE_MS`. */
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
 * The specifiers of a module's static imports, in order. A pattern finds them, not a parser: the
 * result is good enough for an error text.
 */
export function importsOf(text: string): string[] {
  const found = text.matchAll(
    /(?:^|[;}\n])\s*(?:import|export)\s*(?:[\w$*{][^'"`;()]*?\bfrom\s*)?(["'])([^"'\n]+)\1/g,
  );
  return [...new Set(Array.from(found, ([, , specifier]) => specifier!))];
}
