import {
  checkArray,
  checkInteger,
  checkMs,
  checkName,
  checkOneOf,
  show,
  withDefaults,
} from '../base/argument.ts';
import { MAX_PARTITIONS } from '../protocol/broker.ts';
import type { Retention, TopicConfig, TopicConfigChanges, TopicSpec } from '../protocol/broker.ts';
import { bytes, plain } from './serde.ts';
import type { Serde } from './serde.ts';

export interface TopicOptions<K, V> {
  /** Default: `bytes()`. */
  readonly key?: Serde<K>;
  /** Default: `bytes()`. */
  readonly value?: Serde<V>;
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
   * there. Not for transactions.
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
   */
  readonly cleanup?: TopicConfig['cleanup'];
  /**
   * How much of each partition is kept: `ms` (`retention.ms`) and `bytes` (`retention.bytes`), whichever
   * is reached first. Whole rows go, and times are known every 64 KiB or so: somewhat more may stay.
   * Default: everything, where Kafka keeps 7 days; of topics in memory 16 MiB.
   */
  readonly retention?: Partial<Retention>;
  /**
   * How long a tombstone stays in a compacted topic (Kafka's `delete.retention.ms`), in milliseconds.
   * Default 24 hours.
   */
  readonly deleteRetentionMs?: number;
  /** Groups whose unread records are kept, whatever `retention` says. Default: none. */
  readonly protectUncommitted?: readonly string[];
}

/** A topic's name together with the types and serdes of its keys and values. */
export interface Topic<N extends string = string, K = unknown, V = unknown> {
  readonly name: N;
  readonly key: Serde<K>;
  readonly value: Serde<V>;
  readonly partitions: number | undefined;
  readonly config: TopicConfigChanges;
}

/** A typed topic, or the name of one whose keys and values are bytes or text. */
export type TopicLike = Topic | string;

/** What a record's key may be, for `send`. */
export type KeyInput<T> = T extends Topic<string, infer K, unknown> ? K : Uint8Array | string;
/** What a record's value may be, for `send`. */
export type ValueInput<T> = T extends Topic<string, unknown, infer V> ? V : Uint8Array | string;

interface CheckedTopicOptions extends ConfigOptions {
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
  readonly partitions: number | undefined;
}

const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * Describes a topic. Nothing is created: pass it to `admin.createTopics`, `send` and `consumer`.
 *
 * Throws a `TypeError` for a name outside `[A-Za-z0-9._-]{1,200}` or an unknown option, and a
 * `RangeError` for a number out of bounds.
 */
export function topic<const N extends string, K = Uint8Array, V = Uint8Array>(
  name: N,
  options: TopicOptions<K, V> = {},
): Topic<N, K, V> {
  checkName('topic', name);
  const { key, value, partitions, ...config } = withDefaults<CheckedTopicOptions>(
    'topic()',
    options,
    {
      key: bytes(),
      value: bytes(),
      partitions: undefined,
      ...NO_CONFIG,
    },
  );
  checkSerde('key', key);
  checkSerde('value', value);
  if (partitions !== undefined) checkPartitions(partitions);
  return {
    name,
    key: key as Serde<K>,
    value: value as Serde<V>,
    partitions,
    config: configOf(config),
  };
}

function checkSerde(what: string, serde: Partial<Serde<unknown>> | null): void {
  if (typeof serde?.encode === 'function' && typeof serde.decode === 'function') return;
  throw new TypeError(
    `the ${what} of topic() must be a serde, as string() or json(), got ${show(serde)}`,
  );
}

type ConfigOptions = {
  readonly [K in keyof TopicConfig]:
    | (K extends 'retention' ? Partial<Retention> : TopicConfig[K])
    | undefined;
};

const NO_CONFIG: ConfigOptions = {
  storage: undefined,
  maxRecordBytes: undefined,
  timestampType: undefined,
  cleanup: undefined,
  retention: undefined,
  deleteRetentionMs: undefined,
  protectUncommitted: undefined,
};

/** The configuration for `alterTopic`, checked. */
export function checkConfig(options: TopicConfigChanges): TopicConfigChanges {
  return configOf(withDefaults<ConfigOptions>('alterTopic()', options, NO_CONFIG));
}

/** What is given of a configuration, checked. */
function configOf(options: ConfigOptions): TopicConfigChanges {
  const { maxRecordBytes, timestampType, cleanup, deleteRetentionMs, protectUncommitted } = options;
  if (options.storage !== undefined) {
    checkOneOf('storage', options.storage, ['disk', 'memory']);
  }
  if (maxRecordBytes !== undefined) {
    checkInteger('maxRecordBytes', maxRecordBytes, 1, MAX_RECORD_BYTES);
  }
  if (timestampType !== undefined) {
    checkOneOf('timestampType', timestampType, ['create', 'append']);
  }
  if (cleanup !== undefined) {
    checkOneOf('cleanup', cleanup, ['delete', 'compact', 'compact,delete']);
  }
  if (deleteRetentionMs !== undefined) checkMs('deleteRetentionMs', deleteRetentionMs);
  if (protectUncommitted !== undefined) {
    checkArray('protectUncommitted takes an array of group names', protectUncommitted);
    for (const group of protectUncommitted) checkName('group', group);
  }
  const retention = options.retention === undefined ? undefined : checkRetention(options.retention);
  const given = Object.entries({ ...options, retention }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(given) as TopicConfigChanges;
}

function checkRetention(options: Partial<Retention>): Partial<Retention> {
  const { ms, bytes } = withDefaults<Partial<Record<keyof Retention, number | null | undefined>>>(
    'retention',
    options,
    { ms: undefined, bytes: undefined },
  );
  if (ms !== null && ms !== undefined) checkInteger('retention.ms', ms, 1);
  if (bytes !== null && bytes !== undefined) checkInteger('retention.bytes', bytes, 1);
  return { ...(ms !== undefined && { ms }), ...(bytes !== undefined && { bytes }) };
}

export function checkPartitions(partitions: unknown): asserts partitions is number {
  checkInteger('partitions', partitions, 1, MAX_PARTITIONS);
}

/** A `TopicLike` as a topic: a plain name takes bytes and text, and gives bytes. */
export function asTopic(topicLike: TopicLike): Topic {
  if (typeof topicLike === 'object' && topicLike !== null) {
    checkName('topic', topicLike.name);
    return topicLike;
  }
  checkName('topic', topicLike);
  return { name: topicLike, key: plain, value: plain, partitions: undefined, config: {} };
}

export function asSpec(topicLike: TopicLike): TopicSpec {
  const { name, partitions, config } = asTopic(topicLike);
  return { name, config, ...(partitions !== undefined && { partitions }) };
}
