/** A partition by its topic's id: a topic made again under the same name has another id. */
export interface TopicIdPartition {
  readonly topicId: string;
  readonly partition: number;
}
