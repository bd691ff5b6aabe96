import { isAway } from '../../base/error.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { retry } from '../../platform/retry.ts';
import type { PositionSpec, TopicOffsets } from '../../protocol/fetch.ts';
import type { Subscription } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';

/**
 * The offsets of a position in every partition, as of one moment. A record that the tab sends after
 * that moment gets such an offset or a later one. A partition created later begins with its first
 * record.
 */
export class StartingOffsets {
  readonly topics: readonly TopicOffsets[];
  readonly #byId: ReadonlyMap<string, readonly number[]>;

  constructor(topics: readonly TopicOffsets[]) {
    this.topics = topics;
    this.#byId = new Map(topics.map(({ id, offsets }) => [id, offsets]));
  }

  of({ topicId, partition }: TopicIdPartition): number {
    return this.#byId.get(topicId)?.[partition] ?? 0;
  }
}

/**
 * Looks up the position as of now. The look-up is repeated for as long as the worker or the storage
 * is away, or until `signal` aborts. The call is posted in this turn, and the calls of a tab keep
 * their order, so the broker answers before it stores the records that the tab sends later.
 *
 * A repetition comes after the records that the tab has sent meanwhile, and these have moved the
 * end. So a repetition of 'latest' asks for the first record at or after the time of the first
 * call: records that are sent after the first call are read, however late the answer comes, unless
 * their sender gave them an older timestamp.
 */
export async function lookUpStartingOffsets(
  connection: Connection,
  subscription: Subscription,
  spec: PositionSpec,
  signal: AbortSignal,
): Promise<StartingOffsets> {
  const now = connection.clock.now();
  let at = 'at' in spec ? spec.at : 'earliest';
  const isRetried = (error: unknown): boolean => {
    if (at === 'latest') at = now;
    return isAway(error);
  };
  const topics = await retry(connection, { isRetried, signal }, () =>
    connection.call('listTopicOffsets', { subscription, at }),
  );
  if ('at' in spec) return new StartingOffsets(topics);
  const { offset } = spec;
  return new StartingOffsets(
    topics.map((topic) => ({ ...topic, offsets: topic.offsets.map(() => offset) })),
  );
}
