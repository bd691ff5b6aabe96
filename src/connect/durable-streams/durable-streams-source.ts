import {
  checkEach,
  checkFunction,
  checkInteger,
  checkMs,
  checkOneOf,
} from '../../base/argument.ts';
import { eitherOf } from '../http/http-client.ts';
import { checkUrl } from '../http/http-options.ts';
import type { HttpAnswer } from '../http/http-client.ts';
import { failureOf } from '../http/http-failure.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { Source, SourceBatch, SourceContext, SourceRecord } from '../source.ts';
import { BEGINNING, HEADERS, chunkOf } from './stream-message.ts';

export interface DurableStreamsSourceOptions {
  /** The URL of a stream of JSON (`Content-Type: application/json`). */
  readonly url: string | URL;
  /**
   * The records of a message: one, several, or null for none. Default: a record with the message as its
   * value.
   */
  readonly toRecord?: (message: unknown) => SourceRecord | readonly SourceRecord[] | null;
  /** Further headers, asked for before each request. Default: none. */
  readonly headers?: () =>
    | Readonly<Record<string, string>>
    | Promise<Readonly<Record<string, string>>>;
  /** The most messages that are stored in one transaction. Default 1,000. */
  readonly maxMessages?: number;
  /**
   * The time for an answer, in milliseconds. It has to be longer than the server keeps a long poll
   * waiting, which the reference server does for 30 seconds. Default 60,000.
   */
  readonly timeoutMs?: number;
  /** `credentials` of `fetch`. Default 'same-origin'. */
  readonly credentials?: RequestCredentials;
  /** Default: the context's own `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * A source of the messages of a durable stream: those that it has, and then, by long polls, those that
 * come. The position is the stream's offset. A stream that is closed has no more; its source waits.
 * A stream that does not exist yet (404) is asked for again; an offset that the server no longer has
 * (410) is 'fatal'.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function durableStreamsSource(options: DurableStreamsSourceOptions): Source {
  const checked = checkEach<DurableStreamsSourceOptions>('durableStreamsSource()', options, {
    url: (name, url) => {
      checkUrl(name, typeof url === 'function' ? undefined : url);
    },
    toRecord: (_, value) => checkFunction('toRecord must be a function', value),
    headers: (_, value) => checkFunction('headers must be a function', value),
    maxMessages: (name, value) => checkInteger(name, value, 1),
    timeoutMs: (name, value) => checkMs(name, value, 1),
    credentials: (name, value) => checkOneOf(name, value, ['omit', 'same-origin', 'include']),
    fetch: (_, value) => checkFunction('fetch must be a function', value),
  });
  if (checked.url === undefined) {
    throw new TypeError('durableStreamsSource() needs url: the URL of a stream');
  }
  return { read: (position, context) => read(checked, position, context) };
}

/**
 * A place in a stream: so many messages behind an offset. Offsets are only known of the ends of
 * answers, which can have more messages than are stored at once.
 */
interface Place {
  readonly offset: string;
  readonly skipped: number;
}

/** No offset has a slash: section 8 of the protocol. */
function positionOf({ offset, skipped }: Place): string {
  return skipped === 0 ? offset : `${offset}/${skipped}`;
}

function placeOf(position: string | undefined): Place {
  const [offset = BEGINNING, skipped = '0'] = position?.split('/') ?? [];
  return { offset, skipped: Number(skipped) };
}

async function* read(
  options: DurableStreamsSourceOptions,
  position: string | undefined,
  { signal, connected }: SourceContext,
): AsyncGenerator<SourceBatch> {
  const { toRecord = recordOf, maxMessages = 1_000 } = options;
  let place = placeOf(position);
  let cursor: string | null = null;
  let isLive = false;
  let isIdle = false;
  // A server that does not wait would be asked without end: the connector begins again, after a wait.
  while (!isIdle) {
    const answer = await ask(options, place, isLive ? cursor : undefined, signal);
    if (!answer.ok) throw failureOf(answer);
    connected();
    const { messages, nextOffset, isUpToDate, isClosed } = chunkOf(answer);
    const { offset, skipped } = place;
    // The answer can have fewer messages than were skipped, of a server that cuts elsewhere now.
    place = { offset: nextOffset, skipped: Math.max(skipped - messages.length, 0) };
    for (let begin = skipped; begin < messages.length; begin += maxMessages) {
      const end = begin + maxMessages;
      const records = messages.slice(begin, end).flatMap((message) => made(toRecord, message));
      const next = end < messages.length ? { offset, skipped: end } : place;
      yield { records, position: positionOf(next) };
    }
    if (isClosed) await aborted(signal);
    isIdle = isClosed || (isLive && messages.length === 0 && answer.status !== 204);
    cursor = answer.headers.get(HEADERS.cursor);
    isLive = isUpToDate;
  }
}

/** `cursor`: of the last long poll, for caches between; `undefined`: this is to be none. */
async function ask(
  {
    url,
    headers,
    timeoutMs = 60_000,
    credentials = 'same-origin',
    ...rest
  }: DurableStreamsSourceOptions,
  { offset }: Place,
  cursor: string | null | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { fetch = globalThis.fetch } = rest;
  const place = new URL(url, globalThis.location?.href);
  place.searchParams.set('offset', offset);
  if (cursor !== undefined) place.searchParams.set('live', 'long-poll');
  if (typeof cursor === 'string') place.searchParams.set('cursor', cursor);
  const [either, release] = eitherOf(signal, AbortSignal.timeout(timeoutMs));
  try {
    const init = { headers: (await headers?.()) ?? {}, cache: 'no-store', credentials } as const;
    const response = await fetch(place, { ...init, signal: either });
    const { ok, status, headers: answered } = response;
    const text = await response.text();
    return { method: 'GET', url: String(place), ok, status, headers: answered, text };
  } finally {
    release();
  }
}

/** A message that cannot be made records would come again at each attempt. */
function made(
  toRecord: NonNullable<DurableStreamsSourceOptions['toRecord']>,
  message: unknown,
): readonly SourceRecord[] {
  try {
    const records = toRecord(message);
    if (records === null) return [];
    return Array.isArray(records) ? (records as SourceRecord[]) : [records as SourceRecord];
  } catch (cause) {
    const what = `toRecord() failed for a message: ${(cause as Error).message}`;
    throw new SinkError('fatal', what, { cause });
  }
}

function recordOf(value: unknown): SourceRecord {
  return { value };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
