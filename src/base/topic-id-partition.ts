/**
 * A partition by its topic's id (Kafka's `TopicIdPartition`). A topic that is deleted and created
 * again under the same name has another id.
 */
export interface TopicIdPartition {
  readonly topicId: string;
  readonly partition: number;
}
