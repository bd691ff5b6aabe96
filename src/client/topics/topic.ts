import {
  checkArray,
  checkEach,
  checkInteger,
  checkName,
  checkOneOf,
  mistake,
} from '../../base/argument.ts';
import { show } from '../../base/show.ts';
import type { Checks } from '../../base/argument.ts';
import { MAX_PARTITIONS } from '../../protocol/topic.ts';
import type {
  Retention,
  TopicConfig,
  TopicConfigChanges,
  TopicSpec,
} from '../../protocol/topic.ts';
import { contradiction } from '../../protocol/topic-rules.ts';
import { plain } from './serde.ts';
import type { BytesOrText, Serde } from './serde.ts';

export interface TopicOptions<K, V, KI = K, VI = V> {
  /**
   * The serde of keys. Default: takes bytes, and text, which is written as UTF-8; returns bytes.
   */
  readonly key?: Serde<K, KI>;
  /**
   * The serde of values. Default: takes bytes, and text, which is written as UTF-8; returns bytes.
   */
  readonly value?: Serde<V, VI>;
  /**
   * How many partitions `createTopics` makes: 1 to 1000, default 1. Records of one key stay in one
   * partition, and so in order; partitions are what tabs can share the work by. They can be added
   * later, which moves keys to other partitions.
   */
  readonly partitions?: number;
  /**
   * 'disk' (default); 'memory': for messages between tabs. The records are in one worker and go with
   * it: the last tab's end is theirs, and where there are no SharedWorkers, that of the tab whose
   * worker has them. Offsets go on from a higher number then, and readers at the first record that is
   * there. Not for transactions. Of each partition the newest `retention.bytes` are kept (default
   * 16 MiB), whatever `cleanup` says.
   */
  readonly storage?: TopicConfig['storage'];
  /**
   * The most bytes that a record's key, value and headers may have together (Kafka's
   * `max.message.bytes`). Default 1 MiB, at most 16 MiB.
   */
  readonly maxRecordBytes?: number;
  /**
   * 'create' (default): a record has the time its producer gave it; 'append': the time it was
   * stored (Kafka's `message.timestamp.type`).
   */
  readonly timestampType?: 'create' | 'append';
  /**
   * What becomes of old records (Kafka's `cleanup.policy`). 'delete' (default): they go as `retention`
   * says; 'compact': the last record of each key stays, and records need a key; 'compact,delete': both.
   * Records without a key that are there when a topic becomes 'compact' stay.
   */
  readonly cleanup?: TopicConfig['cleanup'];
  /**
   * How much of each partition is kept: `ms` (`retention.ms`) and `bytes` (`retention.bytes`),
   * whichever is reached first. Default: everything, where Kafka keeps 7 days; 16 MiB of topics in
   * memory.
   *
   * The age of a record is that of its timestamp, which is the producer's or the append's
   * (`timestampType`). A timestamp ahead of the clock counts as of when retention first saw it,
   * some 10 s after the append. (Kafka 4 refuses a timestamp more than an hour ahead,
   * `message.timestamp.after.max.ms`.)
   *
   * Whole rows are deleted, and times are known every 64 KiB or so: somewhat more may stay. On disk
   * retention runs in the background, some 10 s after an append, else every 5 minutes, and not at
   * all with 'compact' alone.
   */
  readonly retention?: Partial<Retention>;
  /**
   * How long a tombstone stays in a compacted topic (Kafka's `delete.retention.ms`), in milliseconds;
   * without compaction it has no effect. Default 24 hours.
   */
  readonly deleteRetentionMs?: number;
  /**
   * Groups whose unread records are kept, whatever `retention` says, and the log's `maxBytes` too. A
   * group that has committed nothing, as one that nobody has ever joined, keeps everything.
   * `deleteRecords` and compaction do not heed it. Default: none.
   */
  readonly protectUncommitted?: readonly string[];
}

/**
 * A topic's name together with the types and serdes of its keys and values: as they are read (`K`,
 * `V`), and as they may be sent (`KI`, `VI`), which without a serde are more.
 */
export interface Topic<N extends string = string, K = unknown, V = unknown, KI = K, VI = V> {
  readonly name: N;
  readonly key: Serde<K, KI>;
  readonly value: Serde<V, VI>;
  readonly partitions: number | undefined;
  readonly config: TopicConfigChanges;
}

/** What `alterTopic` can change of a topic. */
export type TopicChanges = Omit<TopicConfigChanges, 'storage'>;

/** A typed topic, or the name of one whose keys and values are bytes or text. */
export type TopicLike = Topic | string;

/** What a record's key may be, for `send`. */
export type KeyInput<T> =
  T extends Topic<string, unknown, unknown, infer KI, never> ? KI : BytesOrText;
/** What a record's value may be, for `send`. */
export type ValueInput<T> =
  T extends Topic<string, unknown, unknown, never, infer VI> ? VI : BytesOrText;

/** The type that a topic takes where its serde names none; without a serde, bytes and text. */
type DefaultInput<T> = [T] extends [Uint8Array] ? BytesOrText : T;

const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * Describes a topic. Nothing is created: pass it to `admin.createTopics`, `send` and `consumer`.
 *
 * Throws a `TypeError` for a name outside `[A-Za-z0-9._-]{1,200}` or an unknown option, and a
 * `RangeError` for a number out of bounds.
 */
export function topic<
  const N extends string,
  K = Uint8Array,
  V = Uint8Array,
  KI = DefaultInput<K>,
  VI = DefaultInput<V>,
>(name: N, options: TopicOptions<K, V, KI, VI> = {}): Topic<N, K, V, KI, VI> {
  checkName('topic name', name);
  const given = checkEach<TopicOptions<unknown, unknown>>('topic()', options, CHECKS);
  const { key = plain, value = plain, partitions, ...config } = given;
  const why = contradiction(config);
  if (why !== undefined) throw new TypeError(`the topic '${name}' cannot be so: ${why}`);
  return { name, key: key as Serde<K, KI>, value: value as Serde<V, VI>, partitions, config };
}

/** The configuration for `alterTopic`, checked. */
export function checkConfig(options: TopicChanges): TopicChanges {
  return checkEach<TopicChanges>('alterTopic()', options, CHANGE_CHECKS);
}

export function checkPartitions(partitions: unknown): asserts partitions is number {
  checkInteger('partitions', partitions, 1, MAX_PARTITIONS);
}

const CHANGE_CHECKS: Checks<TopicChanges> = {
  maxRecordBytes: (name, value) => checkInteger(name, value, 1, MAX_RECORD_BYTES),
  timestampType: (name, value) => checkOneOf(name, value, ['create', 'append']),
  cleanup: (name, value) => checkOneOf(name, value, ['delete', 'compact', 'compact,delete']),
  retention: (name, value) =>
    checkEach<Partial<Retention>>(name, value as Partial<Retention>, {
      ms: (part, bound) => checkBound(`${name}.${part}`, bound),
      bytes: (part, bound) => checkBound(`${name}.${part}`, bound),
    }),
  deleteRetentionMs: (name, value) => checkInteger(name, value, 0),
  protectUncommitted: (name, value) => {
    checkArray(`${name} takes an array of group names`, value);
    for (const group of value) checkName('group name', group);
  },
};

const CHECKS: Checks<TopicOptions<unknown, unknown>> = {
  key: checkSerde,
  value: checkSerde,
  partitions: (_, value) => checkPartitions(value),
  storage: (name, value) => checkOneOf(name, value, ['disk', 'memory']),
  ...CHANGE_CHECKS,
};

function checkSerde(what: string, value: unknown): void {
  if (isSerde(value)) return;
  const rule = `the ${what} of topic() must be a serde, as string() or json(), or an object with encode(value) and decode(bytes)`;
  throw mistake(rule, value);
}

function isSerde(value: unknown): value is Serde<unknown> {
  const serde = value as Partial<Serde<unknown>> | null | undefined;
  return typeof serde?.encode === 'function' && typeof serde.decode === 'function';
}

function checkBound(what: string, bound: unknown): void {
  if (bound !== null) checkInteger(what, bound, 1);
}

/** A `TopicLike` as a topic: a plain name takes bytes and text, and gives bytes. */
export function asTopic(topicLike: TopicLike): Topic {
  if (typeof topicLike === 'object' && topicLike !== null) {
    const { name, key, value, config } = topicLike;
    // By its shape: a page may have two copies of tablog.
    if (!isSerde(key) || !isSerde(value) || typeof config !== 'object') {
      const call = `topic(${show(name ?? 'name')}, { … })`;
      const meant = 'messages' in topicLike ? ': did you mean sendBatch(topic, records)?' : '';
      const rule = `a topic is a name or what ${call} returned`;
      throw new TypeError(`${rule}, got ${show(topicLike)}${meant}`);
    }
    checkName('topic name', name);
    return topicLike;
  }
  checkName('topic name', topicLike);
  return { name: topicLike, key: plain, value: plain, partitions: undefined, config: {} };
}

export function asSpec(topicLike: TopicLike): TopicSpec {
  const { name, partitions, config } = asTopic(topicLike);
  return { name, config, ...(partitions !== undefined && { partitions }) };
}
