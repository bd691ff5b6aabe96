import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { PositionSpec, TopicOffsets } from '../../protocol/fetch.ts';
import type { Subscription } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';

/**
 * The offsets of a place in every partition, as of one moment. A record that the tab sends after
 * that moment is at the place or beyond. A partition created later begins with its first record.
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
 * Looks up the place as of now. The call is posted in this turn, and a tab's calls keep their
 * order, so the broker looks before it stores what the tab sends later.
 */
export async function lookUpStartingOffsets(
  connection: Connection,
  subscription: Subscription,
  place: PositionSpec,
): Promise<StartingOffsets> {
  const at = 'at' in place ? place.at : 'earliest';
  const topics = await connection.call('listTopicOffsets', { subscription, at });
  if ('at' in place) return new StartingOffsets(topics);
  const { offset } = place;
  return new StartingOffsets(
    topics.map((topic) => ({ ...topic, offsets: topic.offsets.map(() => offset) })),
  );
}
