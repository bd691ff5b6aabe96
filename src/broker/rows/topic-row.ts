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
  /** For each partition, the index of its store: in the pool, or in memory among the topic's own. */
  readonly stores: readonly number[];
  readonly config: TopicConfig;
  readonly createdAt: number;
  /** The highest version that the topic was created with or brought in line with. Default 0. */
  readonly version?: number;
  /** In memory: offsets before it may have been given out by a worker that is gone. Default 0. */
  readonly reservedTo?: number;
}

export function topicRef(name: string): RowRef<TopicRow> {
  return { store: TOPICS, key: name };
}

const TOPIC: RowShape<TopicRow> = {
  name: 'string',
  id: 'string',
  stores: 'array',
  config: 'object',
};

/** Whether a row of the store `topics` is a topic: as much of it as resolving a partition relies on. */
export function isTopic(row: unknown): row is TopicRow {
  return hasShape(row, TOPIC);
}

/**
 * The row as a topic; `undefined`: there is none. Throws `LOG_CORRUPT` where the row has another
 * shape.
 */
export function topicOf(row: unknown, name: string): TopicRow | undefined {
  if (row === undefined || isTopic(row)) return row;
  throw damagedRow(topicRef(name), 'Create a topic of another name; the other topics go on.');
}

/** The store of a partition, if the topic has it: on disk one of the pool. */
export function storeOf({ id, stores }: TopicRow, partition: number): string | undefined {
  const index = stores[partition];
  if (index === undefined) return undefined;
  return isInMemory(id) ? `${id}/${index}` : partitionStore(index);
}

export function topicInfo(row: TopicRow): TopicInfo {
  const { name, id, stores, config, createdAt, version } = row;
  const info = { name, id, partitions: stores.length, config, createdAt };
  return version === undefined ? info : { ...info, version };
}
