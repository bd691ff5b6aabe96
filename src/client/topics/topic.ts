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
import type { Retention, TopicConfigChanges, TopicSpec } from '../../protocol/topic.ts';
import { contradiction } from '../../protocol/topic-rules.ts';
import { plain } from './serde.ts';
import type { BytesOrText, Serde } from './serde.ts';

/**
 * The options of `topic()`. `createTopics` passes the options of `TopicConfig` on to the broker.
 */
export interface TopicOptions<K, V, KI = K, VI = V> extends TopicConfigChanges {
  /**
   * The serde of keys. Default: a serde that takes bytes and text, writes text as UTF-8, and
   * returns bytes.
   */
  readonly key?: Serde<K, KI>;
  /**
   * The serde of values. Default: a serde that takes bytes and text, writes text as UTF-8, and
   * returns bytes.
   */
  readonly value?: Serde<V, VI>;
  /**
   * The number of partitions that `createTopics` makes: 1 to 1000, default 1. Records of one key
   * are in one partition, and so stay in order. A group shares the work of a topic by partitions,
   * so more partitions let more tabs work. `createPartitions` adds partitions later, but keys then
   * map to other partitions.
   */
  readonly partitions?: number;
}

/**
 * A topic's name together with the types and serdes of its keys and values. `K` and `V` are the
 * types that consumers read. `KI` and `VI` are the types that `send` takes; without a serde these
 * are wider.
 */
export interface Topic<N extends string = string, K = unknown, V = unknown, KI = K, VI = V> {
  readonly name: N;
  readonly key: Serde<K, KI>;
  readonly value: Serde<V, VI>;
  readonly partitions: number | undefined;
  readonly config: TopicConfigChanges;
}

/** The configuration that `alterTopics` can change. A topic's `storage` never changes. */
export type TopicChanges = Omit<TopicConfigChanges, 'storage'>;

/** A typed topic, or the name of a topic with keys and values of bytes or text. */
export type TopicLike = Topic | string;

/** The type of a record's key in `send`. */
export type KeyInput<T> =
  T extends Topic<string, unknown, unknown, infer KI, never> ? KI : BytesOrText;
/** The type of a record's value in `send`. */
export type ValueInput<T> =
  T extends Topic<string, unknown, unknown, never, infer VI> ? VI : BytesOrText;

/**
 * The type that `send` takes where the serde has no input type of its own; without a serde, bytes
 * and text.
 */
type DefaultInput<T> = [T] extends [Uint8Array] ? BytesOrText : T;

const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * Describes a topic, for `admin.createTopics`, `send` and `consumer`. The call itself creates no
 * topic in the log.
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

/**
 * The configuration for `alterTopics`. Throws a `TypeError` or a `RangeError` for an option that
 * breaks a rule.
 */
export function checkConfig(options: TopicChanges): TopicChanges {
  return checkEach<TopicChanges>('the config of alterTopics()', options, CHANGE_CHECKS);
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
  mirrorOf: (_, value) => {
    if (value !== null) checkName('topic id', value);
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
  const rule = `the ${what} of topic() must be a serde, as string() or json(), or an object with encode(value, context) and decode(bytes, context)`;
  throw mistake(rule, value);
}

function isSerde(value: unknown): value is Serde<unknown> {
  const serde = value as Partial<Serde<unknown>> | null | undefined;
  return typeof serde?.encode === 'function' && typeof serde.decode === 'function';
}

function checkBound(what: string, bound: unknown): void {
  if (bound !== null) checkInteger(what, bound, 1);
}

/**
 * A `TopicLike` as a `Topic`. A plain name gets the serde that takes bytes and text, and returns
 * bytes.
 */
export function asTopic(topicLike: TopicLike): Topic {
  if (typeof topicLike === 'object' && topicLike !== null) {
    const { name, key, value, config } = topicLike;
    // The check is by shape, not by class, because a page may have two copies of tablog.
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
