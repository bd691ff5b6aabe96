import { checkBoolean, checkEach, checkInteger, checkOneOf } from '../../base/argument.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { Sink, SinkBatch, SinkContext, SinkSource } from '../sink/sink.ts';
import { gzipped, jsonText, partOf, toJson } from './http-body.ts';
import { HttpClient } from './http-client.ts';
import type { HttpAnswer, HttpSubject } from './http-client.ts';
import { HTTP_CHECKS, HTTP_DEFAULTS } from './http-options.ts';
import { describe, failureOf, receiverFailureOf } from './http-failure.ts';
import { batchHeaders, positionOf, sourceHeaders } from './http-protocol.ts';

export interface HttpSinkOptions {
  /** Where batches are posted to; relative to the page, or a function of a partition. */
  readonly url: string | URL | ((source: SinkSource) => string | URL);
  /**
   * Whether a `receiver()` of 'tablog/connect/receiver' answers at `url`, which tells where it stands, and
   * so has each record once. Default `false`: an endpoint of another kind, which has each record at least
   * once, and can know repeated ones by their `id`.
   */
  readonly receiver?: boolean;
  /**
   * 'json' (default): an array of records, each with `id`, `topic`, `offset`, `timestamp`, `key`, `value`
   * and `headers`. 'ndjson': a line for each. 'values': an array of the values alone. 'record': a
   * request for each record, of its value. A function: a body of your own, for an endpoint that is no
   * receiver.
   */
  readonly body?: 'json' | 'ndjson' | 'values' | 'record' | ((batch: SinkBatch) => BodyInit);
  /** Further headers. Default: none. */
  readonly headers?: HeadersInit | ((subject: HttpSubject) => HeadersInit);
  /**
   * The headers that name the user who is signed in, asked for before each request, or nothing
   * where nobody is, or somebody else than whose log this is (`source.log`). The connector is then
   * 'unauthorized', and asks again. An answer 401 or 403 means the same. Default: none.
   */
  readonly auth?: (
    source: SinkSource,
  ) => HeadersInit | null | undefined | Promise<HeadersInit | null | undefined>;
  /** 'gzip': bodies are compressed, by `CompressionStream`. Default 'none'. */
  readonly compression?: 'none' | 'gzip';
  /** The most bytes of one body, uncompressed; a single larger record is sent alone. Default 1,000,000. */
  readonly maxBytes?: number;
  /** The time for an answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** `credentials` of `fetch`. Default 'same-origin'. */
  readonly credentials?: RequestCredentials;
  /** Default: the context's own `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * A sink that posts batches to an HTTP endpoint. No answer, a redirect, 404, 408, 409, 425, 429 and 5xx
 * are failures that pass, and `Retry-After` is heeded. 401 and 403 are 'unauthorized'; 400, 413, 415 and
 * 422 refuse the batch, whose record is then looked for (of a receiver 413 and 422 alone); any other is
 * 'fatal'.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function httpSink(options: HttpSinkOptions): Sink {
  const checked = checkHttpSink(options);
  const http = new HttpSink(checked);
  return {
    put: (batch, context) => http.put(batch, context),
    ...(checked.receiver && {
      position: (source: SinkSource, context: SinkContext) => http.position(source, context),
    }),
  };
}

type CheckedHttpSink = Required<Omit<HttpSinkOptions, 'auth' | 'fetch'>> &
  Pick<HttpSinkOptions, 'auth' | 'fetch'>;

const encoder = new TextEncoder();

class HttpSink {
  readonly #options: CheckedHttpSink;
  readonly #client: HttpClient;

  constructor(options: CheckedHttpSink) {
    this.#options = options;
    this.#client = new HttpClient(options);
  }

  async put(batch: SinkBatch, context: SinkContext): Promise<number> {
    const { body, receiver } = this.#options;
    if (typeof body === 'function') {
      return this.#post(batch, body(batch), 'application/json', context);
    }
    const [part, text] = this.#part(batch);
    const type = body === 'ndjson' ? 'application/x-ndjson' : 'application/json';
    const position = await this.#post(part, encoder.encode(text), type, context);
    return receiver ? position : part.to;
  }

  async position(source: SinkSource, context: SinkContext): Promise<number | null> {
    const init = { method: 'GET', headers: sourceHeaders(source) };
    const answer = await this.#client.ask({ source, records: [] }, init, context);
    if (!answer.ok) throw receiverFailureOf(answer);
    return this.#positionIn(answer);
  }

  /** As many records as fit into a body, at least one, and the body. */
  #part(batch: SinkBatch): readonly [SinkBatch, string] {
    const { body, maxBytes } = this.#options;
    const maxRecords = body === 'record' ? 1 : Infinity;
    const [part, texts] = partOf(batch, { maxBytes, maxRecords }, (record) => {
      const { value, ...others } = toJson(record);
      const isValue = body === 'values' || body === 'record';
      return jsonText(isValue ? (value ?? null) : { ...others, value }, record.offset);
    });
    if (body === 'record' && texts.length > 1) {
      throw new SinkError(
        'fatal',
        "a transform makes several records of one, and body: 'record' has one",
      );
    }
    if (body === 'record' && texts.length === 1) return [part, texts[0]!];
    return [
      part,
      body === 'ndjson' ? texts.map((line) => `${line}\n`).join('') : `[${texts.join(',')}]`,
    ];
  }

  /** Posts a body; resolves to the position afterwards. */
  async #post(
    batch: SinkBatch,
    body: BodyInit,
    type: string,
    context: SinkContext,
  ): Promise<number> {
    const { compression, receiver } = this.#options;
    const isPlain = typeof body === 'string' || body instanceof Uint8Array;
    // Of a form or a file `fetch` knows the type.
    const headers = { ...(isPlain && { 'content-type': type }), ...batchHeaders(batch) };
    let sent = body;
    if (compression === 'gzip' && body instanceof Uint8Array) {
      const compressed = await gzipped(body as Uint8Array<ArrayBuffer>);
      if (compressed !== undefined) {
        sent = compressed;
        Object.assign(headers, { 'content-encoding': 'gzip' });
      }
    }
    const init = { method: 'POST', headers, body: sent };
    const { source, records } = batch;
    const answer = await this.#client.ask({ source, records }, init, context);
    if (!receiver) {
      if (!answer.ok) throw failureOf(answer);
      return batch.to;
    }
    // The receiver has something else than this tab thought, and tells what.
    if (answer.status === 409 && positionOf(answer.headers) !== undefined) {
      throw new SinkError('fenced', `the receiver stands elsewhere than at ${batch.from}`);
    }
    if (!answer.ok) throw receiverFailureOf(answer);
    const position = this.#positionIn(answer);
    if (position !== null) return position;
    throw new SinkError('retry', 'the receiver has stored nothing of a batch that it answered');
  }

  #positionIn(answer: HttpAnswer): number | null {
    const position = positionOf(answer.headers);
    if (position !== undefined) return position;
    // As the sign-in page of a network answers, which passes.
    throw new SinkError(
      'retry',
      `${describe(answer)} without a tablog-position: is it the URL of a receiver, ` +
        "and does it expose the header ('origins' of receiver())?",
    );
  }
}

function checkHttpSink(options: HttpSinkOptions): CheckedHttpSink {
  const checked = checkEach<HttpSinkOptions>('httpSink()', options, {
    ...HTTP_CHECKS,
    receiver: checkBoolean,
    body: (name, value) => {
      if (typeof value === 'function') return;
      checkOneOf(name, value, ['json', 'ndjson', 'values', 'record'], 'a function');
    },
    compression: (name, value) => checkOneOf(name, value, ['none', 'gzip']),
    maxBytes: (name, value) => checkInteger(name, value, 1),
  });
  const { url, receiver = false, body = 'json' } = checked;
  if (url === undefined) throw new TypeError('httpSink() needs url');
  if (receiver && body !== 'json' && body !== 'ndjson') {
    throw new TypeError("a receiver takes the body 'json' or 'ndjson'");
  }
  return {
    ...HTTP_DEFAULTS,
    compression: 'none',
    maxBytes: 1_000_000,
    ...checked,
    url,
    receiver,
    body,
  };
}
