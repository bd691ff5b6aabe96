import { TablogError, toTablogError } from '../../base/error.ts';
import { headDamaged } from '../../log/head.ts';
import { fromErrorData, toErrorData } from '../../protocol/error-data.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import type { TopicCatalog } from './topic-catalog.ts';

/**
 * The outcome of a call. An error about a missing head becomes `LOG_CORRUPT` when the topic's row
 * still exists: a topic's row and its heads are created and deleted in one transaction, so the
 * browser must have lost the head.
 */
export async function explainMissing<T>(
  topics: Pick<TopicCatalog, 'list'>,
  outcome: T,
): Promise<T | TablogError> {
  if (!(outcome instanceof TablogError)) return outcome;
  const { topicId, missing } = outcome.details;
  if (typeof missing !== 'string') return outcome;
  const rows = await topics.list().catch(toTablogError);
  if (rows instanceof TablogError) return rows; // unreadable topics leave both causes possible
  return rows.some(({ id }) => id === topicId) ? headDamaged(missing) : outcome;
}

/** The same for a fetched partition. */
export async function explainFetched(
  topics: Pick<TopicCatalog, 'list'>,
  part: FetchedPartition,
): Promise<FetchedPartition> {
  if (!('error' in part)) return part;
  const error = await explainMissing(topics, fromErrorData(part.error));
  return { ...part, error: toErrorData(error) };
}
