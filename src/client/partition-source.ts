import type { Hold } from './hold.ts';
import type { Topic } from './topic.ts';

/**
 * The part that the messages of one partition share. A message that is kept keeps its source, and
 * nothing that was fetched.
 */
export class PartitionSource {
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** Begins the `id` of each message; its offset ends it. */
  readonly idPrefix: string;
  /** A group's member: its hold on the partition. */
  hold: Hold | undefined;

  constructor(topic: Topic, topicId: string, partition: number) {
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.idPrefix = `${topicId}-${partition}-`;
  }

  /** Commits `next`, unless that far is committed already. See `Message.commit`. */
  async commit(next: number): Promise<void> {
    if (this.hold === undefined) throw new TypeError('commit() needs a consumer with a group');
    await this.hold.commit(next);
  }
}
