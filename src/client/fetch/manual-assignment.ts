import { toTablogError, unknownTopic } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import { retry } from '../../platform/retry.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { Connection } from '../connection/connection.ts';
import type { ConsumerListeners } from './consumer-events.ts';
import type { Position } from './position.ts';
import type { StartingOffsets } from './starting-offsets.ts';
import { isLeftBehind, resetOffset } from './offset-reset.ts';
import type { PartitionReader } from './partition-reader.ts';
import type { AssignedPartitions } from './assigned-partitions.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { TopicSubscription } from './topic-subscription.ts';

/**
 * Decides which partitions a consumer reads (Kafka's `SubscriptionState.SubscriptionType`): adds
 * readers to `AssignedPartitions`, and removes them.
 */
export interface Assignment {
  /** Resolves when the first partitions have a position. */
  start(): Promise<void>;
  /** Whether messages may be delivered now. */
  mayDeliver(): boolean;
  /** Notes that a loop begins to poll (true), or has ended with an error (false). */
  setPolling?(isPolling: boolean): void;
  /** Gives up all partitions. Idempotent. */
  close(): Promise<void>;
}

export interface ManualAssignmentOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly selection: TopicSubscription;
  readonly readers: AssignedPartitions;
  readonly from: Position;
  /** The offsets of `from` at the time when the consumer was made. */
  readonly startingOffsets: Promise<StartingOffsets>;
  readonly listeners: ConsumerListeners;
  readonly mustExist: boolean;
  /** Called when there may be more records to read. */
  readonly onChange: () => void;
}

/** Every partition of the selected topics: the assignment of a consumer without a group. */
export class ManualAssignment implements Assignment {
  readonly #options: ManualAssignmentOptions;
  readonly #closing = new AbortController();
  /** The readers of partitions that were created after the consumer started. */
  readonly #createdLater = new WeakSet<PartitionReader>();
  #started = false;

  constructor(options: ManualAssignmentOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { topicMetadata, selection, readers, mustExist } = this.#options;
    const stop = topicMetadata.onChange(() => void this.#addNew());
    this.#closing.signal.addEventListener('abort', stop, { once: true });
    const startingOffsets = await this.#options.startingOffsets;
    if (mustExist) checkExist(selection, startingOffsets.topics);
    const topics = startingOffsets.topics.map(({ id, name, offsets }) => ({
      id,
      name,
      partitions: offsets.length,
    }));
    readers.add(this.#newReaders(topics, startingOffsets));
    this.#started = true;
    this.#options.onChange();
    void this.#addNew(); // for partitions that were created meanwhile
  }

  mayDeliver(): boolean {
    return true;
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  /**
   * Adds partitions that were created since. A consumer reads such a partition from its first
   * record.
   */
  async #addNew(): Promise<void> {
    if (!this.#started || this.#closing.signal.aborted) return;
    const { topicMetadata, readers, onChange } = this.#options;
    // After a failure the next change lists the topics again.
    const topics = await topicMetadata.list().catch(() => []);
    if (this.#closing.signal.aborted) return;
    const later = this.#newReaders(topics);
    for (const reader of later) this.#createdLater.add(reader);
    readers.add(later);
    onChange();
  }

  #newReaders(
    topics: readonly Pick<TopicInfo, 'id' | 'name' | 'partitions'>[],
    startingOffsets?: StartingOffsets,
  ): PartitionReader[] {
    const { selection, readers } = this.#options;
    const known = new Map<string, { readonly id: string; partitions: number }>();
    for (const { topic, topicId: id } of readers.all) {
      const entry = known.get(topic.name);
      if (entry === undefined) known.set(topic.name, { id, partitions: 1 });
      else entry.partitions++;
    }
    return topics.flatMap(({ id: topicId, name, partitions }) => {
      const existing = known.get(name);
      // A topic that was deleted and created again is another topic. The readers of the old topic
      // throw.
      if (existing !== undefined && existing.id !== topicId) return [];
      const first = existing?.partitions ?? 0;
      if (first >= partitions || selection.get(name) === undefined) return [];
      return Array.from({ length: Math.max(partitions - first, 0) }, (_, i) => {
        const partition = first + i;
        const offset = startingOffsets?.of({ topicId, partition }) ?? 0;
        const onError = this.#recover;
        return readers.create(name, { topicId, partition, offset, onError });
      });
    });
  }

  /**
   * Resets a reader whose next record was deleted to the position `from`. A reader that has read
   * nothing of a new partition goes to the first record that is left.
   */
  readonly #recover = (reader: PartitionReader, error: TablogError): boolean => {
    if (!isLeftBehind(error)) return false;
    const { connection, readers, from } = this.#options;
    const isUnread = this.#createdLater.has(reader) && reader.position === 0;
    void resetOffset(reader, error, {
      ...this.#options,
      to: isUnread ? 'earliest' : from,
      lookUp: async (to) => {
        const { seekVersion } = reader.state;
        const { signal } = this.#closing;
        try {
          return (await retry(connection, { signal }, () => readers.resolve([reader], to)))[0];
        } catch (failure) {
          if (reader.state.isCurrent(seekVersion)) reader.fail(toTablogError(failure));
          return undefined;
        }
      },
    });
    return true;
  };
}

/** Throws `UNKNOWN_TOPIC` for a topic that the subscription names and the log does not have. */
export function checkExist(
  selection: TopicSubscription,
  topics: readonly Pick<TopicInfo, 'name'>[],
): void {
  const names = new Set(topics.map(({ name }) => name));
  const missing = selection.subscription.topics.find((name) => !names.has(name));
  if (missing !== undefined) throw unknownTopic(missing);
}
