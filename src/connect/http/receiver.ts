import {
  checkArray,
  checkEach,
  checkFunction,
  checkInteger,
  mistake,
} from '../../base/argument.ts';
import type { JsonRecord } from './http-body.ts';
import { HEADERS, HTTP_PROTOCOL, NO_POSITION } from './http-protocol.ts';

/** Whose records a request brings. */
export interface ReceivedSource {
  /** The name of the stream of records, by which positions are kept; at most 400 characters. */
  readonly id: string;
  /** The names of the log and the topic, and the number of the partition, in the browser. */
  readonly log: string;
  readonly topic: string;
  readonly partition: number;
}

export type ReceivedRecord = JsonRecord;

/** A stored position; databases have large integers as bigints, or as text. Null or undefined: there is none. */
export type Position = number | bigint | string | null | undefined;

export interface ReceivedBatch {
  readonly source: ReceivedSource;
  /** The range of offsets of which this is all: `from` up to, and without, `to`. */
  readonly from: number;
  readonly to: number;
  /** All records of the batch, those included that the database has. */
  readonly records: readonly ReceivedRecord[];
  /** The request, for its session; its body was read. */
  readonly request: Request;
  /**
   * What is to be stored where the database stands at `position` (null or undefined: it has nothing of
   * the source): the records that it has not, and the position to store with them, in one transaction.
   * Throws where records are missing in between: let the error pass through the transaction.
   */
  after(position: Position): {
    readonly records: readonly ReceivedRecord[];
    readonly position: number;
  };
}

export interface ReceiverOptions {
  /** The stored position of a source; null or undefined: there is none. */
  readonly position: (source: ReceivedSource, request: Request) => Position | Promise<Position>;
  /**
   * Stores a batch, which can be one without records, within one transaction of yours: reads the position of `batch.source.id`, calls
   * `batch.after(position)`, and stores the records and the position that it returns. The transaction
   * has to keep two requests from reading the same position, as SERIALIZABLE ones do, and those of SQLite
   * that begin as IMMEDIATE.
   *
   * An error that it throws is answered by 500, and the batch comes again. A `Response` that it returns
   * or throws is answered as it is: 422 refuses the records for good.
   */
  readonly store: (
    batch: ReceivedBatch,
  ) => Response | undefined | void | Promise<Response | undefined | void>;
  /**
   * Called before anything else. Return a `Response` such as 401, and nothing is read or stored.
   * Default: everybody may post.
   */
  readonly authorize?: (
    request: Request,
    source: ReceivedSource,
  ) => Response | undefined | void | Promise<Response | undefined | void>;
  /**
   * The origins of pages elsewhere that may post (CORS), with their cookies, or '*' for all, without.
   * Default: none, but the own one.
   */
  readonly origins?: readonly string[];
  /** The most bytes of a body, after it was decompressed. Default 10,000,000. */
  readonly maxBytes?: number;
}

/** The database stands before the batch. */
class Gap extends Error {
  readonly position: number;

  constructor(position: number, from: number) {
    super(`the batch begins at offset ${from}, and the database stands at ${position}`);
    this.position = position;
  }
}

/**
 * Makes the server's half of `httpSink({ receiver: true })`: a handler of requests as Deno, Bun, workerd,
 * and frameworks for Node have them. With the position in the same transaction as the records, each
 * record is stored once, after any time, whoever died meanwhile.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function receiver(options: ReceiverOptions): (request: Request) => Promise<Response> {
  const {
    position,
    store,
    authorize,
    origins = [],
    maxBytes = 10_000_000,
  } = checkReceiver(options);
  const answer = async (request: Request): Promise<Response> => {
    if (request.method === 'OPTIONS') return new Response(null, { status: 204 });
    if (request.method !== 'GET' && request.method !== 'POST') {
      return refusal(405, `the method ${request.method}: use POST, or GET for the position`);
    }
    const source = sourceOf(request.headers);
    if (typeof source === 'string') return refusal(400, source);
    const refused = await authorize?.(request, source);
    if (refused instanceof Response) return refused;
    if (request.method === 'GET') return positioned(await position(source, request));
    const batch = await batchOf(request, source, maxBytes);
    if (batch instanceof Response) return batch;
    try {
      const own = await store(batch);
      return own instanceof Response
        ? own
        : positioned(batch.stored ?? (await position(source, request)));
    } catch (error) {
      if (error instanceof Response) return error;
      const gap = gapOf(error);
      if (gap === undefined) throw error;
      return positioned(gap.position, 409);
    }
  };
  return async (request) => {
    try {
      return withOrigin(await answer(request), request, origins);
    } catch (error) {
      // oxlint-disable-next-line eslint/no-console -- the server's log is where its operator looks
      console.error('tablog: the receiver failed:', error);
      return withOrigin(refusal(500, 'the receiver failed'), request, origins);
    }
  };
}

/** How deep a chain of causes is looked into, which may be a circle. */
const MAX_CAUSES = 10;

/** An error of a database can have the one that has ended its transaction as its cause. */
function gapOf(error: unknown): Gap | undefined {
  let each = error;
  for (let depth = 0; depth < MAX_CAUSES && each instanceof Error; depth++) {
    if (each instanceof Gap) return each;
    each = each.cause;
  }
  return undefined;
}

function positioned(told: Position, status: number = 200): Response {
  const position = told === null || told === undefined ? undefined : Number(told); // as of 64 bits
  if (position !== undefined && !Number.isSafeInteger(position)) {
    throw new TypeError(`position() of the receiver returned ${String(told)}`);
  }
  const headers = { [HEADERS.position]: String(position ?? NO_POSITION) };
  return Response.json({ position: position ?? null }, { status, headers });
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

/** The source that the headers name, or what is wrong with them. */
function sourceOf(headers: Headers): ReceivedSource | string {
  const protocol = headers.get(HEADERS.protocol);
  if (protocol === null) return `no ${HEADERS.protocol}: this is a receiver for httpSink()`;
  if (protocol !== HTTP_PROTOCOL) {
    return `the protocol ${protocol}, and this receiver has ${HTTP_PROTOCOL}: update the older side`;
  }
  const id = headers.get(HEADERS.source) ?? '';
  const log = headers.get(HEADERS.log) ?? '';
  const topic = headers.get(HEADERS.topic) ?? '';
  const partition = offsetIn(headers, HEADERS.partition);
  const isNamed = /^[\w.-]+\/[\w.-]+\/\d+$/.test(id) && id.length <= 400;
  if (!isNamed || partition === undefined) return 'the headers name no source';
  return { id, log, topic, partition };
}

function offsetIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  const offset = text !== null && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(offset) ? offset : undefined;
}

class Batch implements ReceivedBatch {
  readonly source: ReceivedSource;
  readonly from: number;
  readonly to: number;
  readonly records: readonly ReceivedRecord[];
  readonly request: Request;
  /** The position that the last call of `after` returned. */
  stored: number | undefined;

  constructor(given: Pick<ReceivedBatch, 'source' | 'from' | 'to' | 'records' | 'request'>) {
    this.source = given.source;
    this.from = given.from;
    this.to = given.to;
    this.records = given.records;
    this.request = given.request;
  }

  after(position: Position): ReturnType<ReceivedBatch['after']> {
    const there = Number(position ?? this.from);
    if (there < this.from) throw new Gap(there, this.from);
    this.stored = Math.max(there, this.to);
    const records = this.records.filter(({ offset }) => offset >= there);
    return { records, position: this.stored };
  }
}

async function batchOf(
  request: Request,
  source: ReceivedSource,
  maxBytes: number,
): Promise<Batch | Response> {
  const from = offsetIn(request.headers, HEADERS.from);
  const to = offsetIn(request.headers, HEADERS.to);
  if (from === undefined || to === undefined || to < from) {
    return refusal(400, `${HEADERS.from} and ${HEADERS.to} are no range of offsets`);
  }
  const text = await textOf(request, maxBytes).catch(() => null);
  if (text === null) return refusal(400, 'the body is cut, or compressed otherwise');
  if (text === undefined) return refusal(413, `a body of more than ${maxBytes} bytes`);
  const records = recordsOf(text, request.headers.get('content-type') ?? '');
  const isSound =
    records?.every(({ offset }, i) => {
      const before = records[i - 1]?.offset ?? from;
      return Number.isSafeInteger(offset) && offset >= before && offset < to;
    }) === true;
  if (!isSound) return refusal(400, 'the body is not the records of the range, in order');
  return new Batch({ source, from, to, records, request });
}

/** The body as text; `undefined` where it is too large. */
async function textOf(request: Request, maxBytes: number): Promise<string | undefined> {
  if (request.body === null) return '';
  let stream: ReadableStream<Uint8Array> = request.body;
  if (request.headers.get('content-encoding')?.toLowerCase() === 'gzip') {
    stream = stream.pipeThrough(new DecompressionStream('gzip') as never);
  }
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

function recordsOf(text: string, type: string): ReceivedRecord[] | undefined {
  try {
    const parsed: unknown = type.startsWith('application/x-ndjson')
      ? text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown]))
      : JSON.parse(text);
    if (!Array.isArray(parsed)) return undefined;
    const isRecord = (each: unknown): boolean => typeof each === 'object' && each !== null;
    return parsed.every(isRecord) ? (parsed as ReceivedRecord[]) : undefined;
  } catch {
    return undefined;
  }
}

/** Lets pages of the given origins read the answer. */
function withOrigin(answer: Response, request: Request, origins: readonly string[]): Response {
  const origin = request.headers.get('origin');
  const isEverybodys = origins.includes('*');
  if (origin === null || !(isEverybodys || origins.includes(origin))) return answer;
  const { status, statusText, body } = answer;
  const headers = new Headers(answer.headers);
  headers.set('access-control-allow-origin', isEverybodys ? '*' : origin);
  // With '*' nobody's cookies are taken, or every site could post as the user.
  if (!isEverybodys) headers.set('access-control-allow-credentials', 'true');
  headers.set('access-control-expose-headers', `${HEADERS.position}, retry-after`);
  headers.append('vary', 'origin');
  if (request.method === 'OPTIONS') {
    headers.set('access-control-allow-methods', 'GET, POST');
    const asked = request.headers.get('access-control-request-headers');
    if (asked !== null) headers.set('access-control-allow-headers', asked);
    headers.set('access-control-max-age', '7200');
  }
  return new Response(body, { status, statusText, headers });
}

function checkOrigins(name: string, origins: unknown): void {
  checkArray(`${name} must be an array`, origins);
  for (const origin of origins) {
    if (origin === '*' || originOf(origin) === origin) continue;
    throw mistake(`each of ${name} must be '*' or an origin, as 'https://shop.example'`, origin);
  }
}

function originOf(url: unknown): string | undefined {
  try {
    return new URL(url as string).origin;
  } catch {
    return undefined;
  }
}

function checkReceiver(options: ReceiverOptions): ReceiverOptions {
  const checked = checkEach<ReceiverOptions>('receiver()', options, {
    position: (_, value) => checkFunction('position must be a function', value),
    store: (_, value) => checkFunction('store must be a function', value),
    authorize: (_, value) => checkFunction('authorize must be a function', value),
    origins: checkOrigins,
    maxBytes: (name, value) => checkInteger(name, value, 1),
  });
  for (const name of ['position', 'store'] as const) {
    if (checked[name] === undefined) throw new TypeError(`receiver() needs ${name}`);
  }
  return checked;
}
