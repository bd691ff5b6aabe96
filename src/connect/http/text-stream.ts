import { checkFunction, checkOneOf } from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SourceContext, SourceRecord } from '../source.ts';
import { failureOf } from './http-failure.ts';

/** The options of every source that reads one long answer. */
export interface StreamOptions {
  /** Further headers, asked for before each request. Default: none. */
  readonly headers?: () =>
    | Readonly<Record<string, string>>
    | Promise<Readonly<Record<string, string>>>;
  /** `credentials` of `fetch`. Default 'same-origin'. */
  readonly credentials?: RequestCredentials;
  /** Default: the context's own `fetch`. */
  readonly fetch?: typeof fetch;
}

export const STREAM_CHECKS: Checks<StreamOptions> = {
  headers: (_, value) => checkFunction('headers must be a function', value),
  credentials: (name, value) => checkOneOf(name, value, ['omit', 'same-origin', 'include']),
  fetch: (_, value) => checkFunction('fetch must be a function', value),
};

/** The most records that are kept for a position that follows; nothing is stored without one. */
const MAX_WITHOUT_POSITION = 10_000;

/** Throws where no position comes, which is `what`: 'events without an id'. */
export function checkWaiting(records: readonly SourceRecord[], what: string): void {
  if (records.length <= MAX_WITHOUT_POSITION) return;
  throw new SinkError('fatal', `${MAX_WITHOUT_POSITION} ${what}, by which to go on`);
}

/**
 * Yields the text of an answer as it comes. `types`: what its content type may be; the first one is asked for.
 * Throws a `SinkError` for any other answer.
 */
export async function* textsOf(
  url: string | URL,
  types: readonly string[],
  { headers, credentials = 'same-origin', fetch = globalThis.fetch }: StreamOptions,
  extra: Readonly<Record<string, string>>,
  { signal, connected }: SourceContext,
): AsyncGenerator<string> {
  const response = await fetch(url, {
    headers: { accept: types[0]!, ...extra, ...(await headers?.()) },
    cache: 'no-store',
    credentials,
    signal,
  });
  const { ok, status, headers: answered, body } = response;
  if (!ok) {
    const text = await response.text();
    throw failureOf({ method: 'GET', url: String(url), ok, status, headers: answered, text });
  }
  const type = answered.get('content-type') ?? '';
  if (body === null || !types.some((each) => type.startsWith(each))) {
    throw new SinkError('retry', `${String(url)} answers with '${type}', and no ${types[0]!}`);
  }
  connected();
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => {}); // it has failed, and was told
  }
}

/** Text into lines. What has come of a line that has not ended is kept for the text that follows. */
export class Lines {
  readonly #end: RegExp;
  #rest = '';

  constructor(end: RegExp) {
    this.#end = end;
  }

  push(text: string): readonly string[] {
    const lines = (this.#rest + text).split(this.#end);
    this.#rest = lines.pop()!;
    return lines;
  }
}

/** Makes a record. What cannot be made one would come again at each attempt: it is 'fatal'. */
export function recordOf<T>(
  toRecord: (from: T) => SourceRecord | null,
  from: T,
  what: string,
): SourceRecord | null {
  try {
    return toRecord(from);
  } catch (cause) {
    const message = `toRecord() failed for ${what}: ${(cause as Error).message}`;
    throw new SinkError('fatal', message, { cause });
  }
}
