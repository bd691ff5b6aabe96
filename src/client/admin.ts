import { checkArray, show } from '../base/argument.ts';
import type { TopicConfig, TopicDescription, TopicInfo } from '../protocol/broker.ts';
import { checkPosition } from './consumer-options.ts';
import type { Position } from './consumer-options.ts';
import type { Connection } from './connection.ts';
import { asSpec, asTopic, checkConfig, checkPartitions } from './topic.ts';
import type { TopicLike } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';

export interface StorageDescription {
  /** Made with the database: another one means that the log was lost or cleared since. */
  readonly logId: string;
  /** When the log was made, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Bytes of all records of this log, as stored. */
  readonly logBytes: number;
  /** Bytes that the whole origin uses, as the browser tells; `undefined` where it does not. */
  readonly usageBytes: number | undefined;
  /**
   * `false`: the browser may delete the origin's data when it runs short of room. Ask for
   * persistence with `navigator.storage.persist()`, from a user's gesture.
   */
  readonly persisted: boolean;
}

/** Makes, changes and describes topics. `log.admin`. */
export class Admin {
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;

  constructor(connection: Connection, registry: TopicRegistry) {
    this.#connection = connection;
    this.#registry = registry;
  }

  /**
   * Makes topics, all or none. One that exists and agrees with what is asked for is kept; one that
   * differs is `TOPIC_EXISTS`.
   */
  async createTopics(topics: readonly TopicLike[]): Promise<readonly TopicInfo[]> {
    checkArray('createTopics() takes an array of topics', topics);
    return this.#change(this.#connection.call('createTopics', topics.map(asSpec)));
  }

  /** Deletes topics with all their records, all or none. Throws `UNKNOWN_TOPIC`. */
  async deleteTopics(topics: readonly TopicLike[]): Promise<void> {
    checkArray('deleteTopics() takes an array of topics', topics);
    await this.#change(this.#connection.call('deleteTopics', topics.map(nameOf)));
  }

  listTopics(): Promise<readonly TopicInfo[]> {
    return this.#connection.call('listTopics', null);
  }

  /** Its id, configuration, and each partition's start and end offsets and bytes. Throws `UNKNOWN_TOPIC`. */
  async describeTopic(topic: TopicLike): Promise<TopicDescription> {
    const [description] = await this.#connection.call('describeTopics', [nameOf(topic)]);
    return description!;
  }

  /**
   * Raises the number of partitions to `partitions`. Keys move to other partitions by it, as in
   * Kafka; records that are stored stay where they are.
   */
  async addPartitions(topic: TopicLike, partitions: number): Promise<TopicInfo> {
    const name = nameOf(topic);
    checkPartitions(partitions);
    return this.#change(this.#connection.call('addPartitions', { name, partitions }));
  }

  /** Changes a topic's configuration; what is not given stays. Throws `UNKNOWN_TOPIC`. */
  async alterTopic(topic: TopicLike, config: Partial<TopicConfig>): Promise<TopicInfo> {
    const request = { name: nameOf(topic), config: checkConfig(config) };
    return this.#change(this.#connection.call('alterTopic', request));
  }

  /** The offset of a place in each partition; for a time after the last record, the end offset. */
  async listOffsets(topic: TopicLike, at: Exclude<Position, number>): Promise<readonly number[]> {
    const place = checkPosition(at);
    if ('offset' in place) throw new TypeError(`listOffsets() takes no offset, got ${show(at)}`);
    const { id, partitions } = await this.#registry.load(nameOf(topic));
    const request = Array.from({ length: partitions }, (_, partition) => ({
      topicId: id,
      partition,
      at: place.at,
    }));
    return this.#connection.call('listOffsets', request);
  }

  /** How much is stored, and whether the browser promises to keep it. */
  async storage(): Promise<StorageDescription> {
    const manager = globalThis.navigator?.storage;
    const [log, estimate, persisted] = await Promise.all([
      this.#connection.call('describeLog', null),
      manager?.estimate?.(),
      manager?.persisted?.(),
    ]);
    return {
      logId: log.logId,
      createdAt: log.createdAt,
      logBytes: log.bytes,
      usageBytes: estimate?.usage,
      persisted: persisted ?? false,
    };
  }

  /** The change is ours, so we know before the hint comes. */
  async #change<T>(change: Promise<T>): Promise<T> {
    try {
      return await change;
    } finally {
      this.#registry.forget();
    }
  }
}

function nameOf(topicLike: TopicLike): string {
  return asTopic(topicLike).name;
}
