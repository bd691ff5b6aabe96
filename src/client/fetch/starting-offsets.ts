import { isAway } from '../../base/error.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { retry } from '../../platform/retry.ts';
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
 * Looks up the place as of now, for as long as the worker or the storage is away, or until `signal`
 * aborts. The call is posted in this turn, and a tab's calls keep their order, so the broker looks
 * before it stores what the tab sends later.
 *
 * A repetition comes behind what the tab has sent meanwhile, and the end has moved. So it asks for
 * the first record of the time of the first call instead: what is sent after that call is read,
 * also when the first answer comes much later, unless its sender gave it an older timestamp.
 */
export async function lookUpStartingOffsets(
  connection: Connection,
  subscription: Subscription,
  place: PositionSpec,
  signal: AbortSignal,
): Promise<StartingOffsets> {
  const now = connection.clock.now();
  let at = 'at' in place ? place.at : 'earliest';
  const isRetried = (error: unknown): boolean => {
    if (at === 'latest') at = now;
    return isAway(error);
  };
  const topics = await retry(connection, { isRetried, signal }, () =>
    connection.call('listTopicOffsets', { subscription, at }),
  );
  if ('at' in place) return new StartingOffsets(topics);
  const { offset } = place;
  return new StartingOffsets(
    topics.map((topic) => ({ ...topic, offsets: topic.offsets.map(() => offset) })),
  );
}
