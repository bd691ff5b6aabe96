import { checkInteger, kindFor, mistake, unknown } from '../../base/argument.ts';
import { isBytes, timeOf } from '../../base/brand.ts';
import { show } from '../../base/show.ts';
import type { Field, RecordParts } from '../../record/batch-writer.ts';
import { TablogError } from '../../base/error.ts';
import { errorMessage } from '../../base/error-text.ts';
import { checkUtf8 } from '../../record/utf8.ts';
import { plain } from '../topics/serde.ts';
import type { Serde } from '../topics/serde.ts';
import { SerdeCalls } from '../topics/serde-context.ts';
import type { EncodeContext } from '../topics/serde-context.ts';
import type { Topic } from '../topics/topic.ts';

/**
 * Header names and values: text is sent as UTF-8, and null differs from empty. An iterable of pairs
 * may repeat a name, and keeps the order.
 */
export type HeadersInput =
  | Readonly<Record<string, string | Uint8Array | null>>
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>;

/** A record to be sent (Kafka's `ProducerRecord`). */
export interface ProducerRecord<K, V> {
  /**
   * The key. The topic's key serde encodes it; without a serde, a key is bytes or text. Records of
   * one key go to one partition and stay in order. Default null: no key, which a compacted topic
   * refuses with `INVALID_RECORD`.
   */
  readonly key?: K | null;
  /**
   * The value. The topic's value serde encodes it; without a serde, a value is bytes or text. null
   * is a tombstone: "this key has no value any more". `undefined` is an error.
   */
  readonly value: V | null;
  /**
   * The headers. Default: none. Headers count towards the topic's `maxRecordBytes`, as key and
   * value do.
   */
  readonly headers?: HeadersInput;
  /**
   * The partition, from 0 to the topic's `partitions` - 1. Default: the choice of the producer's
   * partitioner. Leave it out where the key decides.
   */
  readonly partition?: number;
  /**
   * The timestamp: milliseconds since 1970, or a `Date`. Default: now. In a topic with
   * `timestampType: 'append'` the time of the append replaces it.
   */
  readonly timestamp?: number | Date;
  /**
   * The only offset at which the record may be stored (optimistic concurrency, which Kafka does not
   * have). Where the next offset of the partition is another one, the record is not stored, and its
   * outcome is `CONFLICT`. Needs a key or a partition. The record travels in a batch of its own, so
   * it is stored or refused alone: the records around it, also those of the same `sendBatch`, are
   * stored in either case. A record of a transaction cannot have one. Default: the end of the
   * partition, whatever it is. Leave it out unless the record depends on records that were read
   * before.
   */
  readonly expectedOffset?: number;
}

const FIELDS: ReadonlySet<string> = new Set([
  'key',
  'value',
  'headers',
  'partition',
  'timestamp',
  'expectedOffset',
]);

/** The year 144683: the distance of any two timestamps stays exact as a varlong. */
const MAX_TIMESTAMP = 2 ** 52 - 1;

const NO_HEADERS: RecordParts['headers'] = [];

/** The context of the serde calls for one record, and its headers. */
export class EncodeCalls extends SerdeCalls implements EncodeContext {
  /** The headers as the application gave them, until a serde asks for headers. */
  #given: HeadersInput | undefined;
  #headers: RecordParts['headers'] | undefined;

  get headers(): RecordParts['headers'] {
    return (this.#headers ??= this.#given === undefined ? NO_HEADERS : encodeHeaders(this.#given));
  }

  /** Starts a record of this topic, with these headers. */
  next(topic: string, headers?: HeadersInput): void {
    this.reset(topic);
    this.#given = headers;
    this.#headers = undefined;
  }

  /** Works without `this`, as `waitFor` does. */
  readonly setHeader = (name: string, value: string | Uint8Array | null): void => {
    const added = encodeHeaders([[name, value]]);
    this.#headers = [...this.headers.filter(([other]) => other !== name), ...added];
  };
}

/**
 * The context for the next record, so that records do not allocate one each. `undefined` while a
 * record is being encoded: a serde may itself send a record.
 */
let spareCalls: EncodeCalls | undefined;

/**
 * The record as bytes and texts. Throws a `TypeError` or `RangeError` for a record that cannot be
 * encoded, and a `SerdeWait` where a serde has to be called again.
 */
export function encodeRecord(
  topic: Topic,
  record: ProducerRecord<unknown, unknown>,
  now: number,
): RecordParts {
  if (typeof record !== 'object' || record === null) {
    throw mistake('a record must be an object with a value', record);
  }
  if (Array.isArray(record)) {
    throw mistake('a record must be an object with a value; sendBatch() takes an array', record);
  }
  for (const name of Object.keys(record)) {
    if (!FIELDS.has(name)) throw unknown('a record has no field', name, FIELDS);
  }
  const { key = null, value, headers, timestamp } = record;
  if (value === undefined) {
    throw new TypeError(
      `a record for '${topic.name}' has the value undefined: send null for a tombstone`,
    );
  }
  const calls = spareCalls ?? new EncodeCalls('');
  spareCalls = undefined;
  calls.next(topic.name, headers);
  const parts = {
    key: encodeField(topic, 'key', topic.key, key, calls),
    value: encodeField(topic, 'value', topic.value, value, calls),
    headers: calls.headers,
    timestamp: timestamp === undefined ? now : checkTimestamp(timestamp),
  };
  spareCalls = calls;
  return parts;
}

/** The record's `expectedOffset`, checked; null: none. */
export function expectedOffsetOf(record: ProducerRecord<unknown, unknown>): number | null {
  const { expectedOffset, key = null, partition } = record;
  if (expectedOffset === undefined) return null;
  checkInteger('expectedOffset', expectedOffset, 0);
  if (partition === undefined && key === null) {
    throw new TypeError('expectedOffset needs a key or a partition: pass partition: 0');
  }
  return expectedOffset;
}

function encodeField(
  topic: Topic,
  what: 'key' | 'value',
  serde: Serde<unknown>,
  value: unknown,
  calls: EncodeCalls,
): Field {
  if (value === null) return null;
  if (serde === plain && typeof value !== 'string' && !isBytes(value)) {
    throw new TypeError(
      `'${topic.name}' has no ${what} serde, so a ${what} must be a Uint8Array or a string, ` +
        `got ${show(value)}: write topic('${topic.name}', { ${what}: json() })`,
    );
  }
  let encoded: unknown;
  calls.begin(what);
  try {
    encoded = serde.encode(value, calls);
    if (typeof encoded === 'string') checkUtf8(encoded);
  } catch (cause) {
    throw calls.wait ?? cannotEncode(topic, what, cause);
  }
  if (calls.wait !== undefined) throw calls.wait;
  if (typeof encoded === 'string' || isBytes(encoded)) return encoded;
  throw mistake(
    `the ${what} serde of '${topic.name}' must encode to a Uint8Array or a string`,
    encoded,
  );
}

/**
 * A serde's failure as bad input: a `TypeError` or `RangeError`, whatever was thrown. A
 * `TablogError` is passed on.
 */
function cannotEncode({ name }: Topic, what: string, cause: unknown): Error {
  if (cause instanceof TablogError) return cause;
  const kind = cause instanceof RangeError ? RangeError : TypeError;
  const text = `the ${what} of a record for '${name}' cannot be encoded: ${errorMessage(cause)}`;
  return new kind(text, { cause });
}

function encodeHeaders(headers: HeadersInput): RecordParts['headers'] {
  if (typeof headers !== 'object' || headers === null) {
    throw mistake('headers must be an object or pairs of name and value', headers);
  }
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw mistake('a header must be a pair of name and value', pair);
    }
    const [name, value] = pair as readonly [string, unknown];
    checkUtf8(name);
    if (typeof value === 'string') checkUtf8(value);
    else if (value !== null && !isBytes(value)) {
      throw mistake(`the header ${show(name)} must be a string, a Uint8Array or null`, value);
    }
  }
  return pairs;
}

function checkTimestamp(timestamp: unknown): number {
  const ms = typeof timestamp === 'number' ? timestamp : (timeOf(timestamp) ?? timestamp);
  if (Number.isInteger(ms) && (ms as number) >= 0 && (ms as number) <= MAX_TIMESTAMP) {
    return ms as number;
  }
  const rule = 'a timestamp must be a Date or an integer of milliseconds since 1970';
  throw mistake(rule, timestamp, kindFor(ms));
}
