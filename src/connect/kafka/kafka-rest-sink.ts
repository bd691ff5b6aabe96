import { checkBoolean, checkEach, checkInteger, checkOneOf, mistake } from '../../base/argument.ts';
import { jsonText, toBase64, toJson } from '../http/http-body.ts';
import { HttpClient } from '../http/http-client.ts';
import type { HttpAnswer, HttpSubject } from '../http/http-client.ts';
import { describe } from '../http/http-failure.ts';
import { HTTP_CHECKS, HTTP_DEFAULTS } from '../http/http-options.ts';
import { SinkError } from '../sink/sink-error.ts';
import type {
  PositionContext,
  Sink,
  SinkBatch,
  SinkContext,
  SinkRecord,
  SinkSource,
} from '../sink/sink.ts';
import { envelopesOf } from './kafka-envelope.ts';
import type { KafkaEnvelope } from './kafka-envelope.ts';
import type { KafkaPartition } from './partition-tail.ts';
import { PartitionTail } from './partition-tail.ts';
import { isFailed, jsonIn, recordFailureOf, requestFailureOf } from './rest-failure.ts';
import type { RecordAnswer } from './rest-failure.ts';

export interface KafkaRestSinkOptions {
  /** The proxy's root, before `/topics`; relative to the page, or a function of a partition. */
  readonly url: string | URL | ((source: SinkSource) => string | URL);
  /**
   * The topic in Kafka, which must exist, or be one that Kafka creates by itself. Default: the name that the
   * topic has here, or that a transform gives the record; with `readBack` all records of a partition go to
   * one topic.
   */
  readonly topic?: string | ((source: SinkSource) => string);
  /** The partition in Kafka. Default: the number that the partition has here. */
  readonly partition?: number | ((source: SinkSource) => number);
  /**
   * 'json' (default): the proxy gets keys and values as JSON, and stores them as JSON. 'binary': it gets
   * base64, and stores the bytes: of text UTF-8, and of anything else JSON.
   */
  readonly format?: 'json' | 'binary';
  /**
   * 'envelope' (default): the value in Kafka is a `KafkaEnvelope`, a JSON object of the record's `id`, by
   * which readers drop repeated ones, `source`, `topic`, `offset`, `timestamp`, `key`, `value` and `headers`.
   * 'raw': the value alone; the dialect has no place for headers, times or ids.
   */
  readonly value?: 'envelope' | 'raw';
  /**
   * Whether the sink reads the end of the partition in Kafka when it gets a partition and after every
   * failure, and goes on behind what it finds of its own there. Takes envelopes, and consumers with
   * assignments in the proxy. Default: `true` with envelopes.
   */
  readonly readBack?: boolean;
  /**
   * The most records that are read back. Where others have written more to the partition meanwhile, the sink
   * goes on at what its group has committed. Default 10,000.
   */
  readonly readBackRecords?: number;
  /** The group of the consumers that read back, which commit nothing. Default 'tablog-read-back'. */
  readonly group?: string;
  /** Further headers. Default: none. */
  readonly headers?: HeadersInit | ((subject: HttpSubject) => HeadersInit);
  /** The headers that name the user who is signed in, or nothing; as of `httpSink()`. Default: none. */
  readonly auth?: (
    source: SinkSource,
  ) => HeadersInit | null | undefined | Promise<HeadersInit | null | undefined>;
  /** `credentials` of `fetch`. Default 'same-origin'. */
  readonly credentials?: RequestCredentials;
  /** The time for an answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /**
   * The most bytes of one body; a single larger record is sent alone. Default 1,000,000, with which no
   * record but a single one is above what a topic takes by default.
   */
  readonly maxBytes?: number;
  /** Default: the context's own `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * A sink to Kafka by a proxy of the REST v2 dialect: Confluent's REST Proxy, Redpanda's HTTP Proxy, the
 * Strimzi Kafka Bridge, Karapace. Each record is stored at least once, in order: the dialect has no
 * idempotence. Reading back narrows that: after an uncertain outcome nothing comes twice, unless the request
 * that was given up is stored after the reading, or a part of a request has failed.
 *
 * 429, 5xx and retriable errors of records pass, and `Retry-After` is heeded. 401 and 403 are
 * 'unauthorized'; 400, 413, 422, and errors of records that a repetition does not mend, refuse the record;
 * an unknown topic or partition, and any other, is 'fatal'.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function kafkaRestSink(options: KafkaRestSinkOptions): Sink {
  return new KafkaRestSink(checkKafkaRestSink(options));
}

type Checked = Required<Omit<KafkaRestSinkOptions, 'topic' | 'partition' | 'auth' | 'fetch'>> &
  Pick<KafkaRestSinkOptions, 'topic' | 'partition' | 'auth' | 'fetch'>;

/** The acknowledged part of a source. */
interface Acked {
  readonly position: number;
  /** The offset in Kafka of the last record; -1: the proxy has not told it. */
  readonly kafkaOffset: number;
}

const encoder = new TextEncoder();

class KafkaRestSink implements Sink {
  readonly #options: Checked;
  readonly #client: HttpClient;
  readonly #tail: PartitionTail;
  /** By source. Other tabs may have stored more meanwhile, so it is what the target has at the least. */
  readonly #acked = new Map<string, Acked>();

  constructor(options: Checked) {
    this.#options = options;
    this.#client = new HttpClient(options);
    const { group, readBackRecords: records } = options;
    this.#tail = new PartitionTail({ client: this.#client, group, records });
  }

  async put(batch: SinkBatch, context: SinkContext): Promise<number> {
    const [first] = batch.records;
    if (first === undefined) return batch.to; // filtered: there is nothing to tell Kafka
    const place = this.#placeOf(batch.source, first);
    const [part, body] = this.#part(batch, place.partition);
    const type = `application/vnd.kafka.${this.#options.format}.v2+json`;
    const headers = { 'content-type': type, accept: 'application/vnd.kafka.v2+json' };
    const init = { method: 'POST', headers, body: encoder.encode(body) };
    const { source, records, from } = part;
    const path = `/topics/${encodeURIComponent(place.topic)}`;
    const answer = await this.#client.ask({ source, records }, init, context, path);
    const told = toldIn(answer, records.length);
    const failed = told.findIndex(isFailed);
    const position = failed < 0 ? part.to : records[failed]!.offset;
    if (position > from) {
      const kafkaOffset = told.at(failed < 0 ? -1 : failed - 1)?.offset ?? -1;
      this.#acked.set(source.id, { position, kafkaOffset });
    }
    if (failed < 0) return position;
    const failure = recordFailureOf(answer, told[failed]!, position);
    // The refused record is then the first of its batch, and what is before it does not come again.
    if (failure.kind === 'refused' && position > from) return position;
    throw failure;
  }

  async position(source: SinkSource, context: PositionContext): Promise<number | undefined> {
    const acked = this.#acked.get(source.id);
    const since = acked?.kafkaOffset ?? -1;
    const found = this.#options.readBack
      ? await this.#tail.positionOf(source, this.#placeOf(source), since, context)
      : undefined;
    const position = Math.max(found ?? 0, acked?.position ?? 0);
    // Records in between were filtered or refused, and are not to come again.
    return position > context.next ? position : undefined;
  }

  /** `record`: the first of a batch; default: none is known. */
  #placeOf(source: SinkSource, record?: SinkRecord): KafkaPartition {
    const { topic: topicOf, partition: partitionOf, readBack } = this.#options;
    if (
      readBack &&
      topicOf === undefined &&
      record !== undefined &&
      record.topic !== source.topic
    ) {
      const what = `a transform routes offset ${record.offset} to the topic '${record.topic}'`;
      const next = 'pass `topic`, make a connector for each topic, or set readBack: false';
      throw new SinkError('fatal', `${what}, and all records of a partition go to one: ${next}`);
    }
    const topic = typeof topicOf === 'function' ? topicOf(source) : (topicOf ?? record?.topic);
    const partition = typeof partitionOf === 'function' ? partitionOf(source) : partitionOf;
    const place = { topic: topic ?? source.topic, partition: partition ?? source.partition };
    try {
      checkTopic('the topic in Kafka', place.topic);
      checkInteger('the partition in Kafka', place.partition, 0);
    } catch (cause) {
      throw new SinkError('fatal', (cause as Error).message, { cause });
    }
    return place;
  }

  /** As many records as go to one topic and fit into a body, at least one, and the body. */
  #part(batch: SinkBatch, partition: number): readonly [SinkBatch, string] {
    const { maxBytes, value, topic } = this.#options;
    const { records } = batch;
    const envelopes = value === 'envelope' ? envelopesOf(batch) : undefined;
    const texts: string[] = [];
    let bytes = 0;
    for (const [i, record] of records.entries()) {
      const isElsewhere = topic === undefined && record.topic !== records[0]!.topic;
      const isSibling = record.offset === records[i - 1]?.offset;
      if (isElsewhere && isSibling) {
        const what = `a transform sends the records of offset ${record.offset} to several topics`;
        throw new SinkError('fatal', `${what}: pass \`topic\`, or make a connector for each topic`);
      }
      if (isElsewhere) break;
      const text = this.#textOf(record, envelopes?.[i], partition);
      bytes += encoder.encode(text).byteLength + 1;
      // The records that a transform has made of one go together: no position is between them.
      if (bytes > maxBytes && i > 0 && !isSibling) break;
      texts.push(text);
    }
    const to = records[texts.length]?.offset ?? batch.to;
    const part = { ...batch, records: records.slice(0, texts.length), to };
    return [part, `{"records":[${texts.join(',')}]}`];
  }

  #textOf(record: SinkRecord, envelope: KafkaEnvelope | undefined, partition: number): string {
    const { key, value } = toJson(record);
    if (this.#options.format === 'json') {
      return jsonText({ key, value: envelope ?? value, partition }, record.offset);
    }
    const bytes = [record.key, envelope ?? record.value].map((each) => {
      if (each === null || each === undefined) return null;
      if (each instanceof Uint8Array) return toBase64(each);
      const text = typeof each === 'string' ? each : jsonText(each, record.offset);
      return toBase64(encoder.encode(text));
    });
    return JSON.stringify({ key: bytes[0], value: bytes[1], partition });
  }
}

/** The answer's word on each record, in order. Throws where it has none on them. */
function toldIn(answer: HttpAnswer, count: number): readonly RecordAnswer[] {
  // Some proxies answer 401, 403 or 422 where that is so of a record, and tell of each all the same.
  const { offsets } = (jsonIn(answer) ?? {}) as { readonly offsets?: unknown };
  const isWhole =
    Array.isArray(offsets) &&
    offsets.length === count &&
    (offsets as (RecordAnswer | null)[]).every(
      (each) => typeof each?.offset === 'number' || (each !== null && isFailed(each)),
    );
  if (isWhole) return offsets as RecordAnswer[];
  if (!answer.ok) throw requestFailureOf(answer);
  const what = `${describe(answer)} without the offsets of ${count} records`;
  throw new SinkError('retry', `${what}: is it the URL of a REST proxy?`);
}

/** Kafka's topics can have longer names than those here. */
function checkTopic(name: string, topic: unknown): void {
  if (typeof topic === 'string' && /^[A-Za-z0-9._-]{1,249}$/.test(topic)) return;
  throw mistake(`${name} must be 1 to 249 of the characters A-Z a-z 0-9 . _ -`, topic);
}

function checkKafkaRestSink(options: KafkaRestSinkOptions): Checked {
  const checked = checkEach<KafkaRestSinkOptions>('kafkaRestSink()', options, {
    ...HTTP_CHECKS,
    topic: (name, value) => {
      if (typeof value !== 'function') checkTopic(name, value);
    },
    partition: (name, value) => {
      if (typeof value !== 'function') checkInteger(name, value, 0);
    },
    format: (name, value) => checkOneOf(name, value, ['json', 'binary']),
    value: (name, value) => checkOneOf(name, value, ['envelope', 'raw']),
    readBack: checkBoolean,
    readBackRecords: (name, value) => checkInteger(name, value, 1),
    group: (name, value) => {
      if (typeof value === 'string' && value !== '') return;
      throw mistake(`${name} must be the name of a consumer group`, value);
    },
    maxBytes: (name, value) => checkInteger(name, value, 1),
  });
  const { url, value = 'envelope' } = checked;
  if (url === undefined) throw new TypeError('kafkaRestSink() needs url');
  if (checked.readBack === true && value === 'raw') {
    throw new TypeError(
      "readBack: true takes value: 'envelope': raw values have no id by which to find them",
    );
  }
  return {
    ...HTTP_DEFAULTS,
    format: 'json',
    readBack: value === 'envelope',
    readBackRecords: 10_000,
    group: 'tablog-read-back',
    maxBytes: 1_000_000,
    ...checked,
    url,
    value,
  };
}
