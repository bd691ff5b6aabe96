import { abortable } from '../../base/abortable.ts';
import { TablogError } from '../../base/error.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { checkInteger } from '../../base/argument.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { NamedPartition } from './admin-arguments.ts';

/**
 * A partition, by the name that the caller has for its topic, and by the id that the broker has.
 */
export interface ResolvedPartition extends TopicIdPartition {
  readonly topic: string;
}

/**
 * The partitions, with the ids of their topics. An entry without a partition stands for every
 * partition of its topic. Throws `UNKNOWN_TOPIC`, and a `RangeError` for a partition that the topic
 * does not have.
 */
export async function resolvePartitions<P extends NamedPartition>(
  topicMetadata: TopicMetadata,
  wanted: readonly P[],
  signal: AbortSignal | undefined,
): Promise<(Omit<P, 'partition'> & ResolvedPartition)[]> {
  signal?.throwIfAborted();
  const loading = Promise.all(wanted.map(({ topic }) => topicMetadata.load(topic)));
  const infos = await abortable(signal, loading);
  return wanted.flatMap(({ partition, ...rest }, i) => {
    const { id, partitions } = infos[i]!;
    if (partition !== undefined) checkInteger('partition', partition, 0, partitions - 1);
    const numbers = partition === undefined ? Array(partitions).keys() : [partition];
    return Array.from(numbers, (number) => ({
      ...rest,
      topicId: id,
      partition: number,
    }));
  });
}

/** The error with the name of the topic, where its details have only the topic's id. */
export function withTopic(error: unknown, partitions: readonly ResolvedPartition[]): unknown {
  if (!(error instanceof TablogError)) return error;
  const found = partitions.find(({ topicId }) => topicId === error.details['topicId']);
  return found === undefined ? error : error.at(`topic '${found.topic}'`, { topic: found.topic });
}
