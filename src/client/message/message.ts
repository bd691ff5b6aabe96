import { isBytes } from '../../base/brand.ts';
import type { Header } from '../../record/record-cursor.ts';
import { decodeLeniently } from '../../record/text-codec.ts';
import { jsonHeaders, jsonValue } from './message-json.ts';
import type { PartitionSource } from './partition-source.ts';
import type { Topic, TopicLike } from '../topics/topic.ts';

/**
 * A decoded record (Kafka's `ConsumerRecord`). Every fact about the record is an own property, so
 * `{ ...message }`, `structuredClone(message)`, `postMessage(message)` and loggers keep everything;
 * such copies have no methods.
 *
 * A message of text, numbers or JSON keeps no fetched bytes in memory. A key or value of bytes, as
 * `bytes()` returns them, is a view into the fetched batch, of up to a megabyte: keep, or post, a
 * `clone()`.
 */
export class Message<N extends string = string, K = unknown, V = unknown> {
  /**
   * The id of the record, for use as an idempotency key: unique, the same at every read, and
   * unaffected by retries of the `send`. Consists of the topic's id, the partition and the offset.
   * A topic created again under the same name has another id, and so has a topic of another log. At
   * most 80 of the characters a-z 0-9 -.
   */
  readonly id: string;
  readonly topic: N;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** The decoded key; null: the record has no key. */
  readonly key: K | null;
  /** The decoded value; null: the record is a tombstone. */
  readonly value: V | null;
  /** The headers, in the order sent; a name may occur twice. */
  readonly headers: readonly Header[];
  readonly #source: PartitionSource;

  /** @internal */
  constructor(
    source: PartitionSource,
    offset: number,
    timestamp: number,
    key: unknown,
    value: unknown,
    headers: readonly Header[],
  ) {
    this.id = source.idPrefix + offset;
    this.topic = source.topic.name as N;
    this.partition = source.partition;
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key as K | null;
    this.value = value as V | null;
    this.headers = headers;
    this.#source = source;
  }

  /**
   * The last header of this name as text; `undefined` where there is none, or its value is null.
   */
  header(name: string): string | undefined {
    const value = this.headers.findLast((header) => header[0] === name)?.[1];
    return value === undefined || value === null ? undefined : decodeLeniently(value);
  }

  /**
   * Commits this message and every earlier message of its partition as processed; resolves when the
   * commit is stored. Does nothing where a later offset is committed already.
   *
   * Rejects with `FENCED` when the partition was taken away, and with a `TypeError` where the
   * consumer has no group.
   */
  async commit(): Promise<void> {
    await Message.#sourceOf(this, 'commit()').commit(this.offset + 1);
  }

  /**
   * A copy of the message with bytes of its own, which keeps nothing else of the fetched batch in
   * memory. Copies a key and a value that are a `Uint8Array`; no other value is a view, unless a
   * serde of the application makes one.
   */
  clone(): Message<N, K, V> {
    const { offset, timestamp, key, value, headers } = this;
    const source = Message.#sourceOf(this, 'clone()');
    return new Message(source, offset, timestamp, ownBytes(key), ownBytes(value), headers);
  }

  /**
   * The message for `JSON.stringify`, and for loggers that call it. Bytes in key, value and headers
   * become text where they are valid UTF-8, otherwise `{ base64 }`; a bigint becomes its digits.
   */
  toJSON(): object {
    const { key, value, headers, ...rest } = this;
    const decoded = { key: jsonValue(key), value: jsonValue(value) };
    return { ...rest, ...decoded, headers: jsonHeaders(headers) };
  }

  /**
   * Keeps Vue's `reactive` and `ref` from wrapping messages, which never change, in a Proxy.
   * https://vuejs.org/api/reactivity-advanced.html#markraw
   * @internal
   */
  get __v_skip(): true {
    return true;
  }

  /**
   * The source, from a private field, which neither a Proxy has nor a copy that a state library
   * made with this prototype.
   */
  static #sourceOf(message: Message, what: string): PartitionSource {
    if (#source in message) return message.#source;
    throw new TypeError(
      `${what} needs the message itself, and this is a Proxy or a copy of it: ` +
        'keep the message outside of reactive state (toRaw(), markRaw() or $state.raw)',
    );
  }
}

function ownBytes(field: unknown): unknown {
  // `Buffer.slice` of Node makes a view; `Uint8Array.prototype.slice` makes a copy, of a Buffer
  // too.
  return isBytes(field) ? Uint8Array.prototype.slice.call(field) : field;
}

/** The selection of topics for a consumer: a topic, or all topics whose names match a pattern. */
export type TopicFilter = TopicLike | RegExp;

/** A message whose key and value are the stored bytes, because they could not be decoded. */
export type RawMessage<N extends string = string> = Message<N, Uint8Array, Uint8Array>;

/** The message type of a topic: its own types, or bytes for a plain name or a pattern. */
export type MessageOf<T extends TopicFilter> = T extends RegExp
  ? RawMessage
  : T extends Topic<infer N, infer K, infer V, never, never>
    ? Message<N, K, V>
    : T extends string
      ? RawMessage<T>
      : never;

/** Messages of one partition, in order. */
export interface MessageBatch<T extends TopicFilter = TopicLike> {
  readonly topic: MessageOf<T>['topic'];
  readonly partition: number;
  /** At least one. */
  readonly messages: readonly MessageOf<T>[];
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** The end offset of the partition when these messages were fetched. */
  readonly endOffset: number;
  /** The number of records between the last of these messages and the end. */
  readonly lag: number;
  /**
   * Aborts when the partition may have gone to another member; without a group, when the consumer
   * closes.
   */
  readonly signal: AbortSignal;
  /** Commits the whole batch as processed, as `commit` of its last message does. */
  commit(): Promise<void>;
}

/**
 * A record batch of one partition as stored, for consumers that forward bytes without decoding
 * them: to another topic or log, to a file, to a Kafka broker.
 */
export interface RawBatch<T extends TopicFilter = TopicLike> {
  readonly topic: MessageOf<T>['topic'];
  readonly partition: number;
  /**
   * The whole batch in Kafka's format (RecordBatch v2), compressed as it was stored. The bytes are
   * a view into a fetched segment of up to a megabyte: keep, or post, a `bytes.slice()`.
   */
  readonly bytes: Uint8Array;
  /** The number of records, at least one; compaction may have left fewer records than offsets. */
  readonly recordCount: number;
  /** The offset at which the batch begins. */
  readonly baseOffset: number;
  /**
   * The consumer's position at the poll, or `baseOffset` where that is greater. Greater than
   * `baseOffset` where the batch begins before the position, as after a `seek` into the middle of
   * the batch: the batch is delivered whole, and its records before this offset were not asked for.
   */
  readonly firstOffset: number;
  /** The last offset of the batch. */
  readonly lastOffset: number;
  /** The end offset of the partition when the batch was fetched. */
  readonly endOffset: number;
  /** The number of records between the batch and the end. */
  readonly lag: number;
  /**
   * Aborts when the partition may have gone to another member; without a group, when the consumer
   * closes.
   */
  readonly signal: AbortSignal;
  /** Commits the whole batch as processed, as `commit` of its last record's message does. */
  commit(): Promise<void>;
}
