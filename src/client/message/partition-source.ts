import type { PartitionProgress } from './partition-progress.ts';
import type { Topic } from '../topics/topic.ts';

/**
 * The facts that the messages of one partition share. A message that is kept in memory keeps its
 * source, and no fetched bytes.
 */
export class PartitionSource {
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** The prefix of each message's `id`; the offset follows. */
  readonly idPrefix: string;
  /** The member's progress in the partition; `undefined` without a group. */
  readonly progress: PartitionProgress | undefined;

  constructor(topic: Topic, topicId: string, partition: number, progress?: PartitionProgress) {
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.idPrefix = `${topicId}-${partition}-`;
    this.progress = progress;
  }

  /**
   * Commits `next`, unless that offset or a later one is committed already. See `Message.commit`.
   */
  async commit(next: number): Promise<void> {
    if (this.progress === undefined) throw new TypeError('commit() needs a consumer with a group');
    await this.progress.commit(next);
  }
}
