import {
  checkArray,
  checkDistinct,
  checkEach,
  checkInteger,
  checkName,
  mistake,
  withDefaults,
} from '../../base/argument.ts';
import type { ImportedPartition } from '../../protocol/broker.ts';
import type { TopicDescription, TopicInfo } from '../../protocol/topic.ts';
import type { CommittedOffset, GroupDescription, GroupListing } from '../../protocol/group.ts';
import { checkPosition } from '../fetch/position.ts';
import type { Position } from '../fetch/position.ts';
import type { Connection } from '../connection/connection.ts';
import { bindFacade } from '../../base/handle.ts';
import { CREATE_CHECKS, RESET_CHECKS } from './admin-options.ts';
import type {
  AlterLogOptions,
  CreateTopicsOptions,
  RecordsToDelete,
  ResetOffsetsOptions,
  StorageDescription,
} from './admin-options.ts';
import type { LogFile } from './log-file.ts';
import { lazyLogFile } from './lazy-log-file.ts';
import { asSpec, asTopic, checkConfig, checkPartitions } from '../topics/topic.ts';
import type { TopicChanges, TopicLike } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

interface CheckedAlterLogOptions {
  readonly maxBytes: number | null | undefined;
}

/** To check a file takes longer than other calls: every record of it is read. */
const MAX_IMPORT_MS = 120_000;

/** Makes, changes and describes topics and groups. `log.admin`. */
export class Admin {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;

  constructor(connection: Connection, topicMetadata: TopicMetadata) {
    bindFacade(this);
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
  }

  /**
   * Creates topics, all or none. A topic that exists and agrees with what is asked for is kept; one
   * that differs is `TOPIC_EXISTS`, unless a higher `version` brings it in line. Options that a
   * topic leaves out are neither compared nor changed.
   */
  async createTopics(
    topics: readonly TopicLike[],
    options: CreateTopicsOptions = {},
  ): Promise<readonly TopicInfo[]> {
    checkArray('createTopics() takes an array of topics', topics);
    const { version } = checkEach('createTopics()', options, CREATE_CHECKS);
    const specs = topics.map((topic) => ({
      ...asSpec(topic),
      ...(version !== undefined && { version }),
    }));
    checkDistinct(
      'createTopics() was given the topic',
      specs.map(({ name }) => name),
    );
    return this.#change(this.#connection.call('createTopics', specs));
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
  async alterTopic(topic: TopicLike, config: TopicChanges): Promise<TopicInfo> {
    const request = { name: nameOf(topic), config: checkConfig(config) };
    return this.#change(this.#connection.call('alterTopic', request));
  }

  /**
   * Deletes the records of partitions before an offset, or all that there are ('latest'), and tells
   * where each of them begins then (Kafka's low watermark). They cannot be read any more when it
   * resolves; their space is freed in the background. Who is behind goes on as its `from` says.
   *
   * Throws `UNKNOWN_TOPIC`, and `OFFSET_OUT_OF_RANGE` beyond the end; nothing is deleted then.
   */
  async deleteRecords(
    topic: TopicLike,
    partitions: readonly RecordsToDelete[],
  ): Promise<readonly number[]> {
    checkArray('deleteRecords() takes an array of partitions', partitions);
    const { id } = await this.#topicMetadata.load(nameOf(topic));
    const ends = await this.listOffsets(topic, 'latest');
    const wanted = partitions.map((each) => {
      const none = { partition: undefined, before: undefined };
      const { partition, before } = withDefaults<object>(
        'deleteRecords()',
        each,
        none,
      ) as typeof each;
      checkInteger('partition', partition, 0, ends.length - 1);
      if (before === 'latest') return { partition, before: ends[partition]! };
      checkInteger("before, unless it is 'latest',", before, 0);
      return { partition, before };
    });
    checkDistinct(
      'deleteRecords() was given the partition',
      wanted.map(({ partition }) => partition),
    );
    const ask = (some: typeof wanted): Promise<readonly number[]> =>
      this.#connection.call('deleteRecords', { topicId: id, partitions: some });
    // Those that will be refused first, and alone: the others are not to be cut then.
    const beyond = wanted.filter(({ partition, before }) => before > ends[partition]!);
    if (beyond.length > 0) await ask(beyond);
    return ask(wanted);
  }

  /**
   * The records of a partition, from its first to the last that there is now, as the bytes of a Kafka
   * log file (`00000000000000000000.log`): whole record batches, as they are stored, so the first one
   * may have records from before the partition's start, deleted ones too.
   *
   * The stream fails with a `RangeError` for a partition that there is not, with `UNKNOWN_TOPIC`, with
   * `WORKER_LOST` where the records were in memory and are gone, and with what else stops a reader.
   */
  exportPartition(topic: TopicLike, partition: number): ReadableStream<Uint8Array> {
    const name = nameOf(topic);
    checkInteger('partition', partition, 0);
    let batches: AsyncGenerator<Uint8Array, void> | undefined;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (batches === undefined) {
          const { exportBatches } = await lazyLogFile.load();
          const { id, partitions } = await this.#topicMetadata.load(name);
          checkInteger('partition', partition, 0, partitions - 1);
          batches = exportBatches(this.#connection, id, partition);
        }
        const next = await batches.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
    });
  }

  /**
   * Stores a Kafka log file, or several segments of one partition in any order, in a partition that
   * has never had a record, with the offsets of the file; all or nothing, and 256 MiB at most. The
   * topic's rules for sent records, such as `maxRecordBytes` and the need of a key, do not apply.
   *
   * The files may be as a broker has them on its disk: compressed with any of Kafka's codecs,
   * compacted, and with transactions, of which only committed ones are stored. The last segment may
   * end in zeros that the broker has preallocated, or within a batch that the broker was writing.
   * The result's `leftOut` counts what was not stored. Everything else is stored byte for byte, and
   * `exportPartition` returns the same bytes.
   *
   * Throws `INVALID_LOG_FILE`, whose details say which byte (`at`) of which file, and which batch
   * (`baseOffset`), and whose text says what to do: for bytes that differ from what was written,
   * for formats before Kafka 0.11 (magic 0 and 1), and for offsets beyond 2^52. Throws
   * `PARTITION_NOT_EMPTY`, `UNKNOWN_TOPIC`, `LOAD_FAILED` where a codec's code cannot be loaded,
   * and a `RangeError` for more than 256 MiB.
   */
  async importPartition(
    topic: TopicLike,
    partition: number,
    file: LogFile | readonly LogFile[],
  ): Promise<ImportedPartition> {
    const { id, partitions } = await this.#topicMetadata.load(nameOf(topic));
    checkInteger('partition', partition, 0, partitions - 1);
    const { joinFiles } = await lazyLogFile.load();
    const request = { topicId: id, partition, ...(await joinFiles(file)) };
    return this.#connection.call('importPartition', request, MAX_IMPORT_MS);
  }

  /**
   * Bounds the log as a whole; null: by nothing but the browser's quota. It is looked after in the
   * background, as `retention` is: some 10 s after an append, else every 5 minutes.
   */
  async alterLog(options: AlterLogOptions): Promise<void> {
    const { maxBytes } = withDefaults<CheckedAlterLogOptions>('alterLog()', options, {
      maxBytes: undefined,
    });
    if (maxBytes === undefined) throw new TypeError('alterLog() takes maxBytes');
    if (maxBytes !== null) checkInteger('maxBytes', maxBytes, 1);
    await this.#connection.call('alterLog', { maxBytes });
  }

  /** The offset of a place in each partition; for a time after the last record, the end offset. */
  async listOffsets(topic: TopicLike, at: Exclude<Position, number>): Promise<readonly number[]> {
    const place = checkPosition(at);
    if ('offset' in place) throw mistake('listOffsets() takes no offset', at);
    const { id, partitions } = await this.#topicMetadata.load(nameOf(topic));
    const request = Array.from({ length: partitions }, (_, partition) => ({
      topicId: id,
      partition,
      at: place.at,
    }));
    return this.#connection.call('listOffsets', request);
  }

  listGroups(): Promise<readonly GroupListing[]> {
    return this.#connection.call('listGroups', null);
  }

  /**
   * A group's members, who reads which partition, how far it got, and how many records it has still
   * to read. Throws `GROUP_ID_NOT_FOUND`.
   */
  async describeGroup(group: string): Promise<GroupDescription> {
    checkName('group name', group);
    const [description] = await this.#connection.call('describeGroups', [group]);
    return description!;
  }

  /**
   * Deletes groups with their offsets, all or none. Throws `GROUP_ID_NOT_FOUND`, and `NON_EMPTY_GROUP`
   * while one has members.
   */
  async deleteGroups(groups: readonly string[]): Promise<void> {
    checkArray('deleteGroups() takes an array of group names', groups);
    for (const group of groups) checkName('group name', group);
    await this.#connection.call('deleteGroups', groups);
  }

  /** What a group has committed. Throws `GROUP_ID_NOT_FOUND`. */
  async fetchOffsets(group: string): Promise<readonly CommittedOffset[]> {
    checkName('group name', group);
    return this.#connection.call('fetchOffsets', { groupId: group });
  }

  /**
   * Moves a group to another place of a topic, and tells what it has committed then. An offset out of
   * range is moved to the nearest there is. Throws `GROUP_ID_NOT_FOUND`, `UNKNOWN_TOPIC`, and
   * `NON_EMPTY_GROUP` while it has members, unless forced.
   */
  async resetOffsets(
    group: string,
    topic: TopicLike,
    to: Position,
    options: ResetOffsetsOptions = {},
  ): Promise<readonly CommittedOffset[]> {
    checkName('group name', group);
    const { partitions = null, force = false } = checkEach('resetOffsets()', options, RESET_CHECKS);
    const request = {
      groupId: group,
      topic: nameOf(topic),
      partitions,
      to: checkPosition(to),
      force,
    };
    return this.#connection.call('resetOffsets', request);
  }

  /** How much is stored, and whether the browser promises to keep it. */
  async storage(): Promise<StorageDescription> {
    const manager = globalThis.navigator?.storage;
    const [log, estimate, persisted] = await Promise.all([
      this.#connection.call('describeLog', null),
      // In a sandboxed frame without storage, `estimate()` rejects.
      manager?.estimate?.().catch(() => undefined),
      manager?.persisted?.().catch(() => undefined),
    ]);
    return {
      logId: log.logId,
      createdAt: log.createdAt,
      logBytes: log.bytes,
      maxLogBytes: log.maxBytes,
      usageBytes: estimate?.usage,
      persisted: persisted ?? false,
    };
  }

  /** The change is ours, so we know before the hint comes. */
  async #change<T>(change: Promise<T>): Promise<T> {
    try {
      return await change;
    } finally {
      this.#topicMetadata.forget();
    }
  }
}

function nameOf(topicLike: TopicLike): string {
  return asTopic(topicLike).name;
}
