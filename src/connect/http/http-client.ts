import { abortable } from '../../base/abortable.ts';
import { show } from '../../base/show.ts';
import { isHidden } from '../../platform/page-lifecycle.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkContext, SinkRecord, SinkSource } from '../sink/sink.ts';

/** The subject of a request. */
export interface HttpSubject {
  readonly source: SinkSource;
  /** The records of a batch; empty where the position is asked for. */
  readonly records: readonly SinkRecord[];
}

/** An answer, which has come as a whole. */
export interface HttpAnswer {
  readonly method: string;
  readonly url: string;
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface HttpRequest extends RequestInit {
  readonly method: string;
  /** The part of the URL behind its `?`. Default: nothing. */
  readonly query?: string;
}

type User = HeadersInit | null | undefined;

export interface HttpClientOptions {
  readonly url: string | URL | ((source: SinkSource) => string | URL);
  readonly headers: HeadersInit | ((subject: HttpSubject) => HeadersInit);
  readonly auth?: ((source: SinkSource) => User | Promise<User>) | undefined;
  readonly timeoutMs: number;
  readonly credentials: RequestCredentials;
  readonly fetch?: typeof fetch | undefined;
}

/**
 * The largest body that is sent so that it outlasts its page: 64 KiB are allowed for all requests of a
 * page together. https://fetch.spec.whatwg.org/#http-network-or-cache-fetch
 */
const KEEPALIVE_BYTES = 15_000;

/** Sends requests in the name of the user who is signed in. */
export class HttpClient {
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /**
   * Resolves to the answer, whatever it is. Rejects with a `SinkError` where none comes. `path`: what
   * follows the URL of the options, with its slash; default: nothing.
   */
  async ask(
    subject: HttpSubject,
    { query, ...init }: HttpRequest,
    { signal }: SinkContext,
    path: string = '',
  ): Promise<HttpAnswer> {
    const { url: urlOf, headers: given, timeoutMs, credentials } = this.#options;
    const { fetch = globalThis.fetch } = this.#options;
    const headers = new Headers(typeof given === 'function' ? given(subject) : given);
    const root = String(typeof urlOf === 'function' ? urlOf(subject.source) : urlOf);
    const base = path === '' ? root : root.replace(/\/+$/, '') + path;
    const url = query === undefined ? base : `${base}${base.includes('?') ? '&' : '?'}${query}`;
    const { method, body } = init;
    const size = body instanceof Uint8Array ? body.byteLength : Infinity;
    const timeout = AbortSignal.timeout(timeoutMs);
    const [either, release] = eitherOf(signal, timeout);
    try {
      const user = await abortable(either, this.#userOf(subject.source));
      for (const more of [init.headers, user]) {
        for (const [name, value] of new Headers(more)) headers.set(name, value);
      }
      const answer = await fetch(url, {
        ...init,
        headers,
        // A page that is hidden may be left before the answer comes.
        keepalive: isHidden() && size <= KEEPALIVE_BYTES,
        credentials,
        // No POST is answered from a cache, and with 'no-store' Chromium asks before each one whether the
        // origin may post: https://source.chromium.org/chromium/chromium/src/+/main:services/network/cors/preflight_controller.cc
        cache: method === 'GET' ? 'no-store' : 'default',
        // A request that is sent on to a page for signing in would be taken for delivered.
        redirect: 'manual',
        signal: either,
      });
      const text = await answer.text(); // or the connection could not be used again
      if (answer.type === 'opaqueredirect' || Math.floor(answer.status / 100) === 3) {
        throw new SinkError('retry', `${method} ${url} is redirected: pass the URL where it leads`);
      }
      return { method, url, ok: answer.ok, status: answer.status, headers: answer.headers, text };
    } catch (cause) {
      if (cause instanceof SinkError) throw cause;
      const isLate = timeout.aborted && !signal.aborted;
      const why = isLate ? `within ${timeoutMs} ms` : `(${reasonOf(cause)})`;
      throw new SinkError('retry', `no answer to ${method} ${url} ${why}${hintFor(url)}`, {
        cause,
      });
    } finally {
      release();
    }
  }

  async #userOf(source: SinkSource): Promise<HeadersInit> {
    const { auth } = this.#options;
    if (auth === undefined) return {};
    const user = await auth(source);
    if (typeof user === 'object' && user !== null) return user;
    const got = user === null || user === undefined ? '' : ` (auth returned ${show(user)})`;
    throw new SinkError('unauthorized', `nobody is signed in for the log '${source.log}'${got}`);
  }
}

/** The reason, which Node has in the cause of its error. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message;
}

/** A browser tells nothing of what another origin has answered to it. */
function hintFor(url: string): string {
  const { location } = globalThis as { readonly location?: Location };
  if (location === undefined || new URL(url, location.href).origin === location.origin) return '';
  return '. Is the server up, and does it allow this origin (CORS; `origins` of receiver())?';
}

/** `AbortSignal.any`, which browsers of 2022 lack, and which leaves no listeners behind. */
export function eitherOf(...signals: readonly AbortSignal[]): readonly [AbortSignal, () => void] {
  const either = new AbortController();
  const abort = (event: Event): void => either.abort((event.target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) either.abort(signal.reason);
    signal.addEventListener('abort', abort);
  }
  const release = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  return [either.signal, release];
}
