import { DEFAULT_TOPIC_CONFIG } from '../../protocol/topic.ts';
import type { TopicConfig, TopicInfo } from '../../protocol/topic.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { damagedRow, hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import { TOPICS, partitionStore } from '../../store/schema.ts';
import type { RowRef } from '../../store/store.ts';

/** A row of the store `topics`. */
export interface TopicRow {
  readonly name: string;
  readonly id: string;
  /** For each partition, the number of its store: on disk of the log, in memory of the topic. */
  readonly stores: readonly number[];
  readonly config: TopicConfig;
  readonly createdAt: number;
  /** The highest version that the topic was created with or brought in line with. Default 0. */
  readonly version?: number;
  /** The end of the offsets reserved by workers, for a topic in memory. Default 0. */
  readonly reservedTo?: number;
}

export function topicRef(name: string): RowRef<TopicRow> {
  return { store: TOPICS, key: name };
}

const TOPIC: RowShape<TopicRow> = {
  name: 'string',
  id: 'string',
  stores: ['integer'],
  config: {
    storage: 'string',
    maxRecordBytes: 'number',
    timestampType: 'string',
    cleanup: 'string',
    retention: 'object',
    deleteRetentionMs: 'number',
    protectUncommitted: ['string'],
  },
};

/** Whether a row of the store `topics` is a topic. Checks the fields that resolving relies on. */
export function isTopic(row: unknown): row is TopicRow {
  return hasShape(row, TOPIC);
}

/**
 * The row as a topic; `undefined`: there is none. Throws `LOG_CORRUPT` when the row is not a topic.
 */
export function topicOf(row: unknown, name: string): TopicRow | undefined {
  if (row === undefined || isTopic(row)) return row;
  throw damagedRow(topicRef(name), 'Create a topic of another name; the other topics go on.');
}

/** The name of a partition's store; `undefined`: the topic has no such partition. */
export function storeOf({ id, stores }: TopicRow, partition: number): string | undefined {
  const number = stores[partition];
  if (number === undefined) return undefined;
  return isInMemory(id) ? `${id}/${number}` : partitionStore(number);
}

/** The configuration, with the defaults of options that are younger than the row. */
export function configOf({ config }: Pick<TopicRow, 'config'>): TopicConfig {
  return { ...DEFAULT_TOPIC_CONFIG, ...config };
}

export function topicInfo(row: TopicRow): TopicInfo {
  const { name, id, stores, createdAt, version } = row;
  const config = configOf(row);
  const info = { name, id, partitions: stores.length, config, createdAt };
  return version === undefined ? info : { ...info, version };
}
