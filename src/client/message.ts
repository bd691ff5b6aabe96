import type { RecordParts } from '../record/batch-writer.ts';
import { murmur2 } from '../record/murmur2.ts';
import { readHeaders } from '../record/record-cursor.ts';
import type { Header, RecordCursor } from '../record/record-cursor.ts';
import { decodeLeniently } from '../record/text-codec.ts';
import type { Serde } from './serde.ts';
import type { Topic, TopicLike } from './topic.ts';

/** What the messages of one partition have in common. */
export interface MessageSource {
  readonly topic: Topic;
  readonly partition: number;
  /** Commits that everything before `next` is processed. */
  commit(next: number): Promise<void>;
}

/**
 * A record that was read. Key, value and headers are decoded when they are asked for, so a record
 * that nobody looks at costs next to nothing, and one that cannot be decoded throws where it is
 * used. Bytes are views into the fetched batch: copy what you keep for long.
 */
export class Message<N extends string = string, K = unknown, V = unknown> {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly #source: MessageSource;
  readonly #bytes: Uint8Array;
  readonly #keyAt: number;
  readonly #keyLength: number;
  readonly #valueAt: number;
  readonly #valueLength: number;
  readonly #headersAt: number;
  readonly #headerCount: number;

  constructor(source: MessageSource, cursor: RecordCursor) {
    this.offset = cursor.offset;
    this.timestamp = cursor.timestamp;
    this.#source = source;
    this.#bytes = cursor.bytes;
    this.#keyAt = cursor.keyAt;
    this.#keyLength = cursor.keyLength;
    this.#valueAt = cursor.valueAt;
    this.#valueLength = cursor.valueLength;
    this.#headersAt = cursor.headersAt;
    this.#headerCount = cursor.headerCount;
  }

  get topic(): N {
    return this.#source.topic.name as N;
  }

  get partition(): number {
    return this.#source.partition;
  }

  /** null: the record has no key. Throws what the key serde throws. */
  get key(): K | null {
    return this.#decode(this.#source.topic.key as Serde<K>, this.#keyAt, this.#keyLength);
  }

  /** null: a tombstone. Throws what the value serde throws. */
  get value(): V | null {
    return this.#decode(this.#source.topic.value as Serde<V>, this.#valueAt, this.#valueLength);
  }

  /** In the order sent; a name may come twice. */
  get headers(): readonly Header[] {
    return readHeaders(this.#bytes, this.#headersAt, this.#headerCount);
  }

  /** The last header of this name as text; `undefined` where there is none, or it is null. */
  header(name: string): string | undefined {
    const value = this.headers.findLast((header) => header[0] === name)?.[1];
    return value === undefined || value === null ? undefined : decodeLeniently(value);
  }

  /**
   * Commits that this message, and every one before it in its partition, is processed; resolves when
   * that is stored. Does nothing where a later one is committed already.
   *
   * Rejects with `FENCED` when the partition was taken away, and with a `TypeError` where the
   * consumer has no group.
   */
  commit(): Promise<void> {
    return this.#source.commit(this.offset + 1);
  }

  /** The message decoded, as a plain object. */
  toJSON(): object {
    const { topic, partition, offset, timestamp, key, value, headers } = this;
    return { topic, partition, offset, timestamp, key, value, headers };
  }

  /**
   * Key, value and headers as they are stored, to be written elsewhere.
   * @internal
   */
  static partsOf(message: Message): RecordParts {
    const field = (at: number, length: number): Uint8Array | null =>
      length < 0 ? null : message.#bytes.subarray(at, at + length);
    return {
      key: field(message.#keyAt, message.#keyLength),
      value: field(message.#valueAt, message.#valueLength),
      headers: message.headers,
      timestamp: message.timestamp,
    };
  }

  /**
   * Messages of one lane have to stay in order: those of one key in one partition.
   * @internal
   */
  static laneOf(message: Message): string {
    const at = message.#keyAt;
    const length = message.#keyLength;
    const key = length < 0 ? 'none' : murmur2(message.#bytes.subarray(at, at + length));
    return `${message.topic}/${message.partition}/${key}`;
  }

  #decode<T>(serde: Serde<T>, at: number, length: number): T | null {
    return length < 0 ? null : serde.decode(this.#bytes.subarray(at, at + length));
  }
}

/** What a consumer may be told to read: a topic, or all topics whose names match. */
export type TopicFilter = TopicLike | RegExp;

/** The messages of a topic: typed by it, or of bytes for a plain name or a pattern. */
export type MessageOf<T extends TopicFilter> = T extends RegExp
  ? Message<string, Uint8Array, Uint8Array>
  : T extends Topic<infer N, infer K, infer V>
    ? Message<N, K, V>
    : T extends string
      ? Message<T, Uint8Array, Uint8Array>
      : never;

/** Some messages of one partition, in order. */
export interface MessageBatch<T extends TopicFilter = TopicLike> {
  readonly topic: MessageOf<T>['topic'];
  readonly partition: number;
  /** At least one. */
  readonly messages: readonly MessageOf<T>[];
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** The partition's end offset when these were fetched. */
  readonly endOffset: number;
  /** Records between the last of these and the end. */
  readonly lag: number;
  /** Aborts when the partition may have gone to another member; without a group, when the consumer closes. */
  readonly signal: AbortSignal;
  /** Commits that the whole batch is processed: as the `commit` of its last message. */
  commit(): Promise<void>;
}
