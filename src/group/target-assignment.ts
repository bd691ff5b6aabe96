import { partitionKey } from '../base/topic-id-partition.ts';
import { ASSIGNORS } from './assignors.ts';
import { subscribesTo } from './group-state.ts';
import type { GroupMember, GroupPartition, GroupState, SubscribedTopic } from './group-state.ts';

/**
 * The partitions of all topics that some member subscribes to. Partitions that the group has
 * already keep their state. Returns the same array when no partition came or went. A group without
 * members keeps its partitions.
 */
export function partitionsOf(
  { members, partitions }: GroupState,
  topics: readonly SubscribedTopic[],
  before: readonly GroupMember[],
): readonly GroupPartition[] {
  if (members.length === 0) return partitions;
  const known = new Map(partitions.map((p) => [partitionKey(p), p]));
  const knownTopics = new Set(partitions.map(({ topicId }) => topicId));
  const found = topics
    .filter(({ name }) => members.some(({ subscription }) => subscribesTo(subscription, name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ id, name, partitions: count }) => {
      const isNew =
        knownTopics.has(id) || before.some(({ subscription }) => subscribesTo(subscription, name));
      return Array.from({ length: count }, (_, partition): GroupPartition => {
        return (
          known.get(partitionKey({ topicId: id, partition })) ?? {
            topicId: id,
            topic: name,
            partition,
            isNew,
            target: null,
            owner: null,
            epoch: -1,
          }
        );
      });
    });
  const same = found.length === partitions.length && found.every((p, i) => p === partitions[i]);
  return same ? partitions : found;
}

/** The partitions with the target that the group's assignor computes for each. */
export function retarget(
  { assignor, members }: GroupState,
  partitions: readonly GroupPartition[],
): GroupPartition[] {
  const candidates = members.map(({ memberId, hidden, subscription }) => ({
    memberId,
    hidden,
    wants: memoized((topic) => subscribesTo(subscription, topic)),
  }));
  const assignable = partitions.map(({ topic, partition, owner, target }) => ({
    topic,
    partition,
    owner: owner ?? target,
  }));
  const targets = ASSIGNORS[assignor](candidates, assignable);
  return partitions.map((p, i) => ({ ...p, target: targets[i]! }));
}

function memoized(look: (topic: string) => boolean): (topic: string) => boolean {
  const answers = new Map<string, boolean>();
  return (topic) => {
    const answer = answers.get(topic) ?? look(topic);
    answers.set(topic, answer);
    return answer;
  };
}
