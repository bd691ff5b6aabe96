import { checkEach, checkInteger, checkMethods, mistake } from '../../base/argument.ts';
import { jsonText, partOf, toJson } from '../http/http-body.ts';
import { HttpClient } from '../http/http-client.ts';
import { HTTP_CHECKS, HTTP_DEFAULTS } from '../http/http-options.ts';
import { toSinkError } from '../sink/sink-error.ts';
import type { Sink, SinkBatch, SinkContext, SinkSource } from '../sink/sink.ts';
import { Bookmarks } from './bookmarks.ts';
import type { BookmarkStorage } from './bookmarks.ts';
import { StreamWriter } from './stream-writer.ts';

export interface DurableStreamsSinkOptions {
  /**
   * The URL under which the streams are, one for each partition, at `connector/topicId/partition`; relative
   * to the page. A function: the URL of a partition's stream, to which nobody else may write. Streams that
   * are missing are created.
   */
  readonly url: string | URL | ((source: SinkSource) => string | URL);
  /** Further headers of each request. Default: none. */
  readonly headers?: HeadersInit;
  /** As of `httpSink()`: the headers of the user who is signed in, or nothing. Default: none. */
  readonly auth?: (
    source: SinkSource,
  ) => HeadersInit | null | undefined | Promise<HeadersInit | null | undefined>;
  /** The most bytes of the records of one message; a single larger record is sent alone. Default 1,000,000. */
  readonly maxBytes?: number;
  /** The time for an answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** `credentials` of `fetch`. Default 'same-origin'. */
  readonly credentials?: RequestCredentials;
  /**
   * Where the sink keeps the place of each stream's last batch, so that a page reads the end of a stream
   * and not all of it, once, when it begins to deliver. Default: `localStorage`, where there is one.
   * null: nowhere. A bookmark that is lost, or wrong, costs that reading and nothing else.
   */
  readonly bookmarks?: BookmarkStorage | null;
  /** Default: the context's own `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * A sink to a server of Durable Streams (https://durablestreams.com), in which each record is once, in
 * order, after any time. A batch is one JSON message of its stream (`DurableStreamsMessage`), with the
 * position behind it; the position is read back from the last one. Tabs fence one another by the
 * `Producer-Epoch` of the protocol. What the server remembers of a producer need not last: see
 * `StreamWriter`.
 *
 * The server has to expose the headers `Stream-Next-Offset`, `Stream-Up-To-Date`, `Producer-Epoch`
 * and `Producer-Expected-Seq` to other origins. A stream that is deleted is written anew, with all that
 * the log has. Of a stream whose batches the server has all dropped, because of their age for example,
 * the connector goes on where its group has committed.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function durableStreamsSink(options: DurableStreamsSinkOptions): Sink {
  return new DurableStreamsSink(checkDurableStreamsSink(options));
}

type Checked = Required<Omit<DurableStreamsSinkOptions, 'auth' | 'fetch' | 'bookmarks'>> &
  Pick<DurableStreamsSinkOptions, 'auth' | 'fetch' | 'bookmarks'>;

class DurableStreamsSink implements Sink {
  readonly #maxBytes: number;
  readonly #client: HttpClient;
  readonly #bookmarks: Bookmarks;
  /** The writers whose stream's end is known, by source. */
  readonly #writers = new Map<string, StreamWriter>();

  constructor({ bookmarks, ...options }: Checked) {
    this.#maxBytes = options.maxBytes;
    this.#client = new HttpClient({ ...options, url: (source) => urlOf(options.url, source) });
    this.#bookmarks = new Bookmarks(bookmarks);
  }

  async position(source: SinkSource, context: SinkContext): Promise<number | null | undefined> {
    this.#writers.delete(source.id);
    const writer = new StreamWriter(this.#client, source, this.#bookmarks);
    const position = await writer.position(context);
    this.#writers.set(source.id, writer);
    return position;
  }

  async put(batch: SinkBatch, context: SinkContext): Promise<number> {
    const { source } = batch;
    const writer = this.#writers.get(source.id);
    if (writer === undefined) throw new Error('the stream has to be asked for its position');
    const [{ from, to }, texts] = partOf(batch, { maxBytes: this.#maxBytes }, (record) =>
      jsonText(toJson(record), record.offset),
    );
    try {
      await writer.append(from, to, `[${texts.join(',')}]`, context);
      return to;
    } catch (error) {
      // A refused batch is not in the stream, and was no message of the epoch.
      if (toSinkError(error).kind !== 'refused') this.#writers.delete(source.id);
      throw error;
    }
  }
}

function urlOf(url: DurableStreamsSinkOptions['url'], source: SinkSource): string | URL {
  if (typeof url === 'function') return url(source);
  const stream = new URL(url, globalThis.location?.href);
  stream.pathname = `${stream.pathname.replace(/\/$/, '')}/${source.id}`;
  return stream;
}

function checkDurableStreamsSink(options: DurableStreamsSinkOptions): Checked {
  const checked = checkEach<DurableStreamsSinkOptions>('durableStreamsSink()', options, {
    ...HTTP_CHECKS,
    headers: (name, value) => {
      if (typeof value === 'object' && value !== null) return;
      throw mistake(`${name} must be headers`, value);
    },
    maxBytes: (name, value) => checkInteger(name, value, 1),
    bookmarks: (name, value) => {
      if (value !== null) checkMethods(name, value, ['getItem', 'setItem']);
    },
  });
  const { url } = checked;
  if (url === undefined) {
    throw new TypeError('durableStreamsSink() needs url: where the streams are, or a function');
  }
  return {
    ...HTTP_DEFAULTS,
    maxBytes: 1_000_000,
    ...checked,
    url,
  };
}
