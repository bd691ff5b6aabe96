import type { OffsetPlace, TopicOffsets } from '../protocol/broker.ts';
import type { Subscription } from '../protocol/group.ts';
import type { Connection } from './connection.ts';

/**
 * A place in every partition of the topics that there were at some moment. What the tab sends after
 * that moment lies at the place or beyond; a partition that came later begins with its first record.
 */
export class Origins {
  readonly topics: readonly TopicOffsets[];
  readonly #byId: ReadonlyMap<string, readonly number[]>;

  constructor(topics: readonly TopicOffsets[]) {
    this.topics = topics;
    this.#byId = new Map(topics.map(({ id, offsets }) => [id, offsets]));
  }

  of({ topicId, partition }: { readonly topicId: string; readonly partition: number }): number {
    return this.#byId.get(topicId)?.[partition] ?? 0;
  }
}

/**
 * The place as it is now. The call is made in this turn, and a tab's calls keep their order: the broker
 * looks before it stores what is sent later.
 */
export async function originsOf(
  connection: Connection,
  subscription: Subscription,
  place: OffsetPlace,
): Promise<Origins> {
  const at = 'at' in place ? place.at : 'earliest';
  const topics = await connection.call('listTopicOffsets', { subscription, at });
  if ('at' in place) return new Origins(topics);
  const { offset } = place;
  return new Origins(
    topics.map((topic) => ({ ...topic, offsets: topic.offsets.map(() => offset) })),
  );
}
