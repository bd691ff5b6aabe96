import { systemClock } from '../../platform/clock.ts';
import type { HttpAnswer, HttpClient } from '../http/http-client.ts';
import { describe, failureOf } from '../http/http-failure.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkContext, SinkSource } from '../sink/sink.ts';
import type { Bookmarks } from './bookmarks.ts';
import { BEGINNING, HEADERS, chunkOf, messagesFor } from './stream-message.ts';
import type { DurableStreamsMessage } from './stream-message.ts';

/** The end of a stream, as it was read. */
interface End {
  /** The first message of what was read; `undefined`: there was none. */
  readonly first: DurableStreamsMessage | undefined;
  /** The last message of what was read. */
  readonly last: DurableStreamsMessage | undefined;
  /** `to` of the last batch of what was read. */
  readonly position: number | undefined;
  /** The highest epoch of what was read; -1: there was none. */
  readonly epoch: number;
  /** The offset at which a GET goes on. */
  readonly offset: string;
}

/** The epoch that a writer has claimed, and what its next message has. */
interface Claim {
  readonly epoch: number;
  seq: number;
  /** The offset at which the next message begins; `undefined`: the server has not told. */
  offset: string | undefined;
}

/** The number of times that an epoch is asked for before other tabs that want one go first. */
const MAX_CLAIMS = 5;
const JSON_TYPE = { 'content-type': 'application/json' };
const encoder = new TextEncoder();

/**
 * Writes to the stream of one partition from the moment on at which its end was read, until a first
 * failure: what the stream has is not known then, and another writer reads it.
 *
 * What keeps two tabs apart are the epochs of the protocol's idempotent producers. Before its first
 * batch a writer appends a claim with a higher epoch than any other, as message 0 of it. From then on
 * the server refuses what writers of lower epochs send, so what is read behind the claim no longer
 * changes. All batches are messages 1, 2, 3 ... of the epoch. A server that no longer knows the epoch
 * refuses them, because an epoch begins with message 0: a writer that was taken for dead writes no
 * batch, whatever the server has forgotten.
 */
export class StreamWriter {
  readonly #client: HttpClient;
  readonly #source: SinkSource;
  readonly #bookmarks: Bookmarks;
  /** `undefined`: the stream does not exist. */
  #end: End | undefined;
  #claim: Claim | undefined;

  constructor(client: HttpClient, source: SinkSource, bookmarks: Bookmarks) {
    this.#client = client;
    this.#source = source;
    this.#bookmarks = bookmarks;
  }

  /** The position of the stream, as `Sink.position` tells it. */
  async position(context: SinkContext): Promise<number | null | undefined> {
    this.#end = (await this.#readBookmarked(context)) ?? (await this.#read(BEGINNING, context));
    if (this.#end === undefined) return null;
    const { first, position } = this.#end;
    if (position !== undefined) return position;
    // Where the beginning is missing too, the server has dropped older messages, batches among them.
    const isBeginning = first !== undefined && first.epoch === undefined;
    return isBeginning ? null : undefined;
  }

  /** Appends a batch, with `records` as the text of an array of JSON. */
  async append(from: number, to: number, records: string, context: SinkContext): Promise<void> {
    this.#claim ??= await this.#newClaim(context);
    const { epoch, seq, offset } = this.#claim;
    const head = JSON.stringify({ source: this.#source.id, epoch, from, to });
    const body = `${head.slice(0, -1)},"records":${records}}`;
    const answer = await this.#post(epoch, seq, body, context);
    // Also a duplicate (204) is no success: of an epoch that another tab has claimed after the server had
    // forgotten this one it would be another message.
    if (answer.status !== 200) throw appendFailureOf(answer);
    this.#claim.seq++;
    this.#claim.offset = answer.headers.get(HEADERS.nextOffset) ?? undefined;
    if (offset !== undefined) this.#bookmarks.set(this.#source, { offset, from });
  }

  /** Fences all other writers, and makes sure that none has written since the end was read. */
  async #newClaim(context: SinkContext): Promise<Claim> {
    const end = this.#end;
    // The time: no epoch of a stream that was deleted comes again in the one that follows.
    let epoch = Math.max((end?.epoch ?? -1) + 1, systemClock.now());
    let isMissing = end === undefined;
    for (let attempt = 0; attempt < MAX_CLAIMS; attempt++) {
      const answer = await this.#post(epoch, 0, this.#message({ epoch }), context);
      const current = epochOf(answer);
      if (answer.status === 200) {
        await this.#confirm(epoch, end?.offset ?? BEGINNING, context);
        return { epoch, seq: 1, offset: answer.headers.get(HEADERS.nextOffset) ?? undefined };
      }
      if (answer.status === 404 && isMissing) {
        await this.#create(context);
        isMissing = false;
      } else if (answer.status === 204) {
        epoch++; // another tab's, or of an earlier attempt whose answer was lost
      } else if (answer.status === 403 && current !== undefined) {
        epoch = current + 1;
      } else {
        throw appendFailureOf(answer);
      }
    }
    throw new SinkError('fenced', 'other tabs begin to write to the stream at the same time');
  }

  /** Reads what was appended since the end was read: the claim has to be all that matters. */
  async #confirm(epoch: number, offset: string, context: SinkContext): Promise<void> {
    const read = await this.#read(offset, context);
    if (read === undefined || read.epoch < epoch) {
      throw new SinkError('retry', 'the stream does not show what was appended to it');
    }
    if (read.position === undefined && read.last?.epoch === epoch) return;
    throw new SinkError('fenced', 'another tab has written to the stream');
  }

  async #create(context: SinkContext): Promise<void> {
    const init = { method: 'PUT', headers: JSON_TYPE, body: encoder.encode(this.#message({})) };
    const answer = await this.#client.ask({ source: this.#source, records: [] }, init, context);
    if (!answer.ok) throw failureOf(answer);
  }

  #message(fields: Partial<DurableStreamsMessage>): string {
    return JSON.stringify({ source: this.#source.id, ...fields });
  }

  #post(epoch: number, seq: number, body: string, context: SinkContext): Promise<HttpAnswer> {
    const headers = {
      ...JSON_TYPE,
      [HEADERS.producerId]: this.#source.id,
      [HEADERS.producerEpoch]: String(epoch),
      [HEADERS.producerSeq]: String(seq),
    };
    const init = { method: 'POST', headers, body: encoder.encode(body) };
    return this.#client.ask({ source: this.#source, records: [] }, init, context);
  }

  async #readBookmarked(context: SinkContext): Promise<End | undefined> {
    const bookmark = this.#bookmarks.get(this.#source);
    if (bookmark === undefined) return undefined;
    try {
      const end = await this.#read(bookmark.offset, context);
      return end?.first?.from === bookmark.from ? end : undefined;
    } catch (error) {
      // An offset that the server does not know is one of another stream.
      const { kind } = error as SinkError;
      if (kind === 'refused' || kind === 'fatal') return undefined;
      throw error;
    }
  }

  /** Reads from an offset to the end; `undefined`: there is no stream. */
  async #read(offset: string, context: SinkContext): Promise<End | undefined> {
    let end: End = { first: undefined, last: undefined, position: undefined, epoch: -1, offset };
    for (;;) {
      const query = new URLSearchParams({ offset: end.offset }).toString();
      const subject = { source: this.#source, records: [] };
      const answer = await this.#client.ask(subject, { method: 'GET', query }, context);
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw failureOf(answer);
      const { messages, nextOffset, isUpToDate } = chunkOf(answer);
      const own = messagesFor(this.#source, messages, answer.url);
      const isEnd = isUpToDate || nextOffset === end.offset;
      end = {
        first: end.first ?? own[0],
        last: own.at(-1) ?? end.last,
        position: own.findLast(({ to }) => to !== undefined)?.to ?? end.position,
        epoch: own.reduce((epoch, each) => Math.max(epoch, each.epoch ?? -1), end.epoch),
        offset: nextOffset,
      };
      if (isEnd) return end;
    }
  }
}

/** The epoch that a server has of a producer; `undefined`: it tells none. */
function epochOf({ headers }: HttpAnswer): number | undefined {
  const text = headers.get(HEADERS.producerEpoch);
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}

/** The meaning of an answer to an append that is no success. */
function appendFailureOf(answer: HttpAnswer): SinkError {
  const { headers, status } = answer;
  const message = describe(answer);
  if (status === 204 || (status === 403 && epochOf(answer) !== undefined)) {
    return new SinkError('fenced', `another tab has written to the stream: ${message}`);
  }
  if (status === 409 && headers.get(HEADERS.expectedSeq) === null) {
    const isClosed = headers.get(HEADERS.closed) === 'true';
    const what = isClosed ? 'the stream is closed' : 'the stream has another configuration';
    return new SinkError('fatal', `${what}: ${message}`);
  }
  // Of the epoch, and not of records: the server has forgotten it, and another tab has begun anew.
  if (status === 400) return new SinkError('retry', message);
  return failureOf(answer);
}
