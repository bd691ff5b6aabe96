/**
 * A partition by its topic's id (Kafka's `TopicIdPartition`). A topic that is deleted and created
 * again under the same name has another id.
 */
export interface TopicIdPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** The key of a partition in maps and sets. */
export function partitionKey({ topicId, partition }: TopicIdPartition): string {
  return `${topicId}/${partition}`;
}
