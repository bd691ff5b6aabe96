import { show } from '../../base/show.ts';
import type { HttpAnswer, HttpClient } from '../http/http-client.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkContext, SinkSource } from '../sink/sink.ts';
import { EnvelopeProgress, rangeIn } from './kafka-envelope.ts';
import { jsonIn, readBackFailureOf } from './rest-failure.ts';

/** A partition of Kafka. */
export interface KafkaPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionTailOptions {
  readonly client: HttpClient;
  /** The consumer group, in which nothing is committed. */
  readonly group: string;
  /** The most records that are read. */
  readonly records: number;
}

/** A record as a consumer of the format 'binary' gets it: the bytes are base64. */
interface ConsumedRecord {
  readonly offset: number;
  readonly value: string | null;
}

const V2 = 'application/vnd.kafka.v2+json';
/** Other writers may produce what is no JSON, on which a consumer of JSON fails. */
const BINARY = 'application/vnd.kafka.binary.v2+json';
/** The first answers of a consumer can be empty, and the last offsets may have no records. */
const MAX_EMPTY_ANSWERS = 3;
const FETCH_MS = 1_000;
const FETCH_BYTES = 4_000_000;

/** Reads the end of a partition, by a consumer of the REST v2 dialect that lives as long as the reading. */
export class PartitionTail {
  readonly #options: PartitionTailOptions;

  constructor(options: PartitionTailOptions) {
    this.#options = options;
  }

  /**
   * Resolves to how far the partition has the source; `undefined`: nothing was found. `since`: an offset of
   * Kafka before which there is nothing to look for; default: as many records as the options say.
   */
  async positionOf(
    source: SinkSource,
    place: KafkaPartition,
    since: number,
    context: SinkContext,
  ): Promise<number | undefined> {
    const { topic, partition } = place;
    const path = `/topics/${encodeURIComponent(topic)}/partitions/${partition}/offsets`;
    const offsets = await this.#ask(source, 'GET', path, context);
    const [beginning, end] = [
      offsetIn(offsets, 'beginning_offset'),
      offsetIn(offsets, 'end_offset'),
    ];
    const start = Math.max(beginning, since, end - this.#options.records);
    if (start >= end) return undefined;
    const consumer = await this.#newConsumer(source, context);
    try {
      const at = [{ topic, partition }];
      await this.#ask(source, 'POST', `${consumer}/assignments`, context, { partitions: at });
      const seek = { offsets: [{ topic, partition, offset: start }] };
      await this.#ask(source, 'POST', `${consumer}/positions`, context, seek);
      return await this.#read(source, consumer, end, context);
    } finally {
      // Also where the reading was aborted: the proxy would keep the consumer for minutes.
      const { signal } = new AbortController();
      await this.#ask(source, 'DELETE', consumer, { signal }).catch(() => {});
    }
  }

  async #read(
    source: SinkSource,
    consumer: string,
    end: number,
    context: SinkContext,
  ): Promise<number | undefined> {
    const progress = new EnvelopeProgress();
    const path = `${consumer}/records?timeout=${FETCH_MS}&max_bytes=${FETCH_BYTES}`;
    for (let empty = 0; empty < MAX_EMPTY_ANSWERS;) {
      const answer = await this.#ask(source, 'GET', path, context, undefined, BINARY);
      const records = jsonIn(answer);
      if (!Array.isArray(records)) throw unexpected(answer, 'an array of records');
      empty = records.length === 0 ? empty + 1 : 0;
      for (const { value } of records as ConsumedRecord[]) {
        const range = rangeIn(valueOf(value), source.id);
        if (range !== undefined) progress.add(range);
      }
      const last = (records as ConsumedRecord[]).at(-1);
      if (last !== undefined && last.offset >= end - 1) break;
    }
    return progress.position;
  }

  /** Resolves to the path of the new consumer, whose name the proxy chooses. */
  async #newConsumer(source: SinkSource, context: SinkContext): Promise<string> {
    const group = `/consumers/${encodeURIComponent(this.#options.group)}`;
    const config = { format: 'binary', 'auto.offset.reset': 'earliest', 'fetch.min.bytes': 1 };
    const answer = await this.#ask(source, 'POST', group, context, config);
    const { instance_id: id } = (jsonIn(answer) ?? {}) as { readonly instance_id?: unknown };
    if (typeof id !== 'string') throw unexpected(answer, 'an instance_id');
    // Not `base_uri`: a proxy often names an address there that a browser does not reach.
    return `${group}/instances/${encodeURIComponent(id)}`;
  }

  async #ask(
    source: SinkSource,
    method: string,
    path: string,
    context: SinkContext,
    body?: object,
    accept: string = V2,
  ): Promise<HttpAnswer> {
    const headers = { accept, ...(body !== undefined && { 'content-type': V2 }) };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await this.#options.client.ask({ source, records: [] }, init, context, path);
    if (!answer.ok) throw readBackFailureOf(answer);
    return answer;
  }
}

function offsetIn(answer: HttpAnswer, name: string): number {
  const offset = ((jsonIn(answer) ?? {}) as Readonly<Record<string, unknown>>)[name];
  if (typeof offset === 'number' && Number.isSafeInteger(offset)) return offset;
  throw unexpected(answer, `${name}, got ${show(offset)}`);
}

/** A value as an envelope would be; `undefined` for what is no JSON. */
function valueOf(base64: string | null): unknown {
  if (base64 === null) return undefined;
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function unexpected({ method, url, status }: HttpAnswer, expected: string): SinkError {
  const what = `reading back: ${method} ${url} answered ${status} without ${expected}`;
  return new SinkError('retry', `${what}: is it the URL of a REST proxy?`);
}
