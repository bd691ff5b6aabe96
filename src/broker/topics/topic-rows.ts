import { LOG_CORRUPT } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { TOPICS } from '../../store/schema.ts';
import { isTopic } from '../rows/topic-row.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** All topics as of one read. A damaged row is left out, so that the other topics stay usable. */
export interface TopicRows {
  readonly byName: ReadonlyMap<string, TopicRow>;
  readonly byId: ReadonlyMap<string, TopicRow>;
  /** The number of rows that are not topics. */
  readonly damaged: number;
}

export function topicRows(all: readonly unknown[]): TopicRows {
  const rows = all.filter(isTopic);
  return {
    byName: new Map(rows.map((row) => [row.name, row])),
    byId: new Map(rows.map((row) => [row.id, row])),
    damaged: all.length - rows.length,
  };
}

/** The error of a topic that is known by its id, when no row has the id and `damaged` rows may. */
export function topicDamaged(
  { topicId, partition }: TopicIdPartition,
  damaged: number,
): TablogError {
  const which = damaged === 1 ? 'a row' : `one of ${damaged} rows`;
  return new TablogError(
    { ...LOG_CORRUPT, next: 'Create a topic of another name; the other topics go on.' },
    `no topic has the id ${topicId}, and ${which} of the store '${TOPICS}' that lost its shape may be its own`,
    { details: { store: TOPICS, topicId, partition } },
  );
}
