import { TablogError, toTablogError } from '../../base/error.ts';
import { headDamaged } from '../../log/head.ts';
import type { TopicCatalog } from './topic-catalog.ts';

/**
 * The outcome of a call, where a head was missing explained by what became of the topic. The head
 * lives as long as the topic's row: where that is there still, the browser has lost the head.
 */
export async function explainMissing<T>(
  topics: Pick<TopicCatalog, 'list'>,
  outcome: T,
): Promise<T | TablogError> {
  if (!(outcome instanceof TablogError)) return outcome;
  const { topicId, missing } = outcome.details;
  if (typeof missing !== 'string') return outcome;
  const rows = await topics.list().catch(toTablogError);
  if (rows instanceof TablogError) return rows; // the storage is away: nobody can tell now
  return rows.some(({ id }) => id === topicId) ? headDamaged(missing) : outcome;
}
