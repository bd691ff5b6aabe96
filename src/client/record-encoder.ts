import { show } from '../base/argument.ts';
import type { Field, RecordParts } from '../record/batch-writer.ts';
import type { Serde } from './serde.ts';
import type { Topic } from './topic.ts';

/** Names and values; an iterable of pairs may have a name twice, and keeps the order. */
export type HeadersInput =
  | Readonly<Record<string, string | Uint8Array | null>>
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>;

/** A record to be sent. */
export interface ProducerRecord<K, V> {
  /** Default null: no key. Records of one key go to one partition and stay in order. */
  readonly key?: K | null;
  /** null is a tombstone: "this key has no value any more". `undefined` is an error. */
  readonly value: V | null;
  readonly headers?: HeadersInput;
  /** Default: chosen by the producer's partitioner. */
  readonly partition?: number;
  /** Default: now. Milliseconds since 1970, or a `Date`. */
  readonly timestamp?: number | Date;
}

/** The year 144683: the distance of any two timestamps stays exact as a varlong. */
const MAX_TIMESTAMP = 2 ** 52 - 1;

const NO_HEADERS: RecordParts['headers'] = [];

/** The record as bytes and texts. Throws a `TypeError` or `RangeError` for what cannot be encoded. */
export function encodeRecord(
  topic: Topic,
  record: ProducerRecord<unknown, unknown>,
  now: number,
): RecordParts {
  if (typeof record !== 'object' || record === null) {
    throw new TypeError(`a record must be an object with a value, got ${show(record)}`);
  }
  const { key = null, value, headers, timestamp } = record;
  if (value === undefined) {
    throw new TypeError(
      `a record for '${topic.name}' has the value undefined: send null for a tombstone`,
    );
  }
  return {
    key: encodeField(topic, 'key', topic.key, key),
    value: encodeField(topic, 'value', topic.value, value),
    headers: headers === undefined ? NO_HEADERS : encodeHeaders(headers),
    timestamp: timestamp === undefined ? now : checkTimestamp(timestamp),
  };
}

function encodeField(topic: Topic, what: string, serde: Serde<unknown>, value: unknown): Field {
  if (value === null) return null;
  const encoded: unknown = serde.encode(value);
  if (typeof encoded === 'string' || encoded instanceof Uint8Array) return encoded;
  throw new TypeError(
    `the ${what} serde of '${topic.name}' must encode to a Uint8Array or a string, got ${show(encoded)}`,
  );
}

function encodeHeaders(headers: HeadersInput): RecordParts['headers'] {
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  for (const [name, value] of pairs) {
    if (typeof name !== 'string') {
      throw new TypeError(`a header's name must be a string, got ${show(name)}`);
    }
    if (value !== null && typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new TypeError(
        `the header ${show(name)} must be a string, a Uint8Array or null, got ${show(value)}`,
      );
    }
  }
  return pairs;
}

function checkTimestamp(timestamp: number | Date): number {
  const ms = Number(timestamp);
  if (Number.isInteger(ms) && ms >= 0 && ms <= MAX_TIMESTAMP) return ms;
  throw new RangeError(
    `a timestamp must be a Date or an integer of milliseconds since 1970, got ${show(timestamp)}`,
  );
}
