import { bindFacade } from '../../base/handle.ts';
import type { CommittedOffset, GroupDescription, GroupListing } from '../../protocol/group.ts';
import type { TopicDescription, TopicInfo } from '../../protocol/topic.ts';
import type { Connection } from '../connection/connection.ts';
import type { OffsetToCommit } from '../consumer/offset-to-commit.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { TopicLike } from '../topics/topic.ts';
import { AdminCaller } from './admin-caller.ts';
import type {
  AdminOptions,
  AlterGroupOffsetsOptions,
  CreateTopicsOptions,
  DeletedRecords,
  EachOf,
  ImportedPartition,
  ListedOffset,
  LogChanges,
  LogDescription,
  NewPartitions,
  OffsetsToList,
  OffsetsToReset,
  RecordsToDelete,
  ScrubOptions,
  ScrubReport,
  TopicToAlter,
} from './admin-options.ts';
import type { LogFile } from './log-file.ts';

/**
 * Creates, changes and describes topics and groups (Kafka's `Admin`). `log.admin`.
 *
 * A method takes an array and resolves to an array, in the same order; results of partitions have
 * their topic and partition. Some methods take a single thing by nature: a log file is of one
 * partition, and offsets are altered in one group at a time, as in Kafka.
 *
 * "All or none" means one transaction: where the call rejects, nothing has changed, and the error's
 * `details` name the topic, partition or group at fault.
 *
 * Besides the errors of its own, every method rejects with a `TypeError` or `RangeError` for an
 * argument that breaks a rule, with the reason of its `signal`, with `CLOSED` once the log is
 * closed, and where the worker or the storage is away, as every call to the worker does:
 * `WORKER_FAILED`, `WORKER_LOST`, `STORAGE_UNAVAILABLE`, `STORAGE_TIMEOUT`, `STORAGE_FULL`, or
 * `LOG_CORRUPT`. Nothing was changed then. After `OUTCOME_UNKNOWN` the change may have been made.
 */
export class Admin {
  readonly #caller: AdminCaller;

  constructor(connection: Connection, topicMetadata: TopicMetadata) {
    bindFacade(this);
    this.#caller = new AdminCaller(connection, topicMetadata);
  }

  /**
   * Creates topics, all or none (Kafka's `createTopics`). An existing topic that agrees with the
   * given options is kept; one that differs is `TOPIC_EXISTS`, unless a higher `version` brings it
   * in line. Options that a topic leaves out are neither compared nor changed. Each topic is named
   * once.
   *
   * Resolves to the topics as they are then. Throws `TOPIC_EXISTS`, `INVALID_CONFIG`.
   */
  createTopics<const T extends readonly TopicLike[]>(
    topics: T,
    options?: CreateTopicsOptions,
  ): Promise<EachOf<T, TopicInfo>> {
    return this.#caller.each<T, TopicInfo>((calls) => calls.createTopics(topics, options));
  }

  /**
   * Raises numbers of partitions, all or none (Kafka's `createPartitions`). Keys move to other
   * partitions, as in Kafka; stored records stay where they are. A topic that already has the
   * number is kept. Each topic is named once.
   *
   * Resolves to the topics as they are then. Throws `UNKNOWN_TOPIC`, and `TOPIC_EXISTS` for fewer
   * partitions than the topic has.
   */
  createPartitions<const T extends readonly NewPartitions[]>(
    topics: T,
    options?: AdminOptions,
  ): Promise<EachOf<T, TopicInfo>> {
    return this.#caller.each<T, TopicInfo>((calls) => calls.createPartitions(topics, options));
  }

  /**
   * Changes topics' configurations, all or none (Kafka's `incrementalAlterConfigs`). Options that
   * are not given keep their value. Each topic is named once.
   *
   * Resolves to the topics as they are then. Throws `UNKNOWN_TOPIC`, and `INVALID_CONFIG` for
   * options that exclude each other.
   */
  alterTopics<const T extends readonly TopicToAlter[]>(
    topics: T,
    options?: AdminOptions,
  ): Promise<EachOf<T, TopicInfo>> {
    return this.#caller.each<T, TopicInfo>((calls) => calls.alterTopics(topics, options));
  }

  /**
   * Deletes topics with their records and the offsets that groups have committed in them, all or
   * none (Kafka's `deleteTopics`). Their consumers end with `UNKNOWN_TOPIC`.
   *
   * Throws `UNKNOWN_TOPIC`.
   */
  deleteTopics(topics: readonly TopicLike[], options?: AdminOptions): Promise<void> {
    return this.#caller.call((calls) => calls.deleteTopics(topics, options));
  }

  /** Every topic of the log, by name (Kafka's `listTopics`). */
  listTopics(options?: AdminOptions): Promise<readonly TopicInfo[]> {
    return this.#caller.call((calls) => calls.listTopics(options));
  }

  /**
   * Topics with their configuration, and each partition's start and end offsets and bytes (Kafka's
   * `describeTopics`).
   *
   * Throws `UNKNOWN_TOPIC` where one of them does not exist.
   */
  describeTopics<const T extends readonly TopicLike[]>(
    topics: T,
    options?: AdminOptions,
  ): Promise<EachOf<T, TopicDescription>> {
    return this.#caller.each<T, TopicDescription>((calls) => calls.describeTopics(topics, options));
  }

  /**
   * The offset of a position in each partition, as of the call (Kafka's `listOffsets`). Where an
   * entry names no partition, its topic's partitions follow each other in the result.
   *
   * Throws `UNKNOWN_TOPIC`, and a `RangeError` for a partition that the topic does not have.
   */
  listOffsets(
    offsets: readonly OffsetsToList[],
    options?: AdminOptions,
  ): Promise<readonly ListedOffset[]> {
    return this.#caller.call((calls) => calls.listOffsets(offsets, options));
  }

  /**
   * Deletes the records of partitions before an offset, or all present records ('latest') (Kafka's
   * `deleteRecords`). The records cannot be read any more when the promise resolves; their space is
   * freed in the background. A consumer whose position was deleted continues at its `from`. Each
   * partition is named once.
   *
   * Resolves to the start offset of each partition, which is greater than the given offset where
   * the partition began later already. Throws `UNKNOWN_TOPIC`, a `RangeError` for a partition that
   * the topic does not have, and `OFFSET_OUT_OF_RANGE` beyond an end: nothing is deleted then.
   * Otherwise each partition is cut by itself: where the call rejects for another reason, some
   * partitions may be cut, and the same call cuts the rest.
   */
  deleteRecords<const T extends readonly RecordsToDelete[]>(
    records: T,
    options?: AdminOptions,
  ): Promise<EachOf<T, DeletedRecords>> {
    return this.#caller.each<T, DeletedRecords>((calls) => calls.deleteRecords(records, options));
  }

  /**
   * The records of a partition, from its first to the last at the call, as the bytes of a Kafka log
   * file (`00000000000000000000.log`): whole record batches as stored, so the first batch may
   * include deleted records from before the partition's start. Kafka has no such call: its files
   * lie on the broker's disk.
   *
   * The stream fails with a `RangeError` for a partition that the topic does not have, with
   * `UNKNOWN_TOPIC`, with `WORKER_LOST` where the records were in memory and are gone, with the
   * reason of the `signal`, and with every other error that stops a reader.
   */
  exportPartition(from: TopicPartition, options?: AdminOptions): ReadableStream<Uint8Array> {
    let chunks: AsyncGenerator<Uint8Array, void> | undefined;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        chunks ??= (await this.#caller.load()).exportPartition(from, options);
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
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
   * The result's `leftOut` counts the parts that were not stored. Everything else is stored byte
   * for byte, and `exportPartition` returns the same bytes.
   *
   * Throws `INVALID_LOG_FILE`, whose details give the byte (`at`), the file and the batch
   * (`baseOffset`), and whose text gives the remedy: for bytes that differ from those written, for
   * formats before Kafka 0.11 (magic 0 and 1), and for offsets beyond 2^52. Throws
   * `PARTITION_NOT_EMPTY`, `UNKNOWN_TOPIC`, `LOAD_FAILED` where a codec's code cannot be loaded,
   * and a `RangeError` for more than 256 MiB.
   */
  importPartition(
    to: TopicPartition,
    file: LogFile | readonly LogFile[],
    options?: AdminOptions,
  ): Promise<ImportedPartition> {
    return this.#caller.call((calls) => calls.importPartition(to, file, options));
  }

  /** Every group of the log, with the number of its members (Kafka's `listGroups`). */
  listGroups(options?: AdminOptions): Promise<readonly GroupListing[]> {
    return this.#caller.call((calls) => calls.listGroups(options));
  }

  /**
   * Groups with their members, the partitions of each member, the committed offsets, and the lag in
   * records (Kafka's `describeConsumerGroups`).
   *
   * Throws `GROUP_ID_NOT_FOUND` where one of them does not exist.
   */
  describeGroups<const T extends readonly string[]>(
    groups: T,
    options?: AdminOptions,
  ): Promise<EachOf<T, GroupDescription>> {
    return this.#caller.each<T, GroupDescription>((calls) => calls.describeGroups(groups, options));
  }

  /**
   * Deletes groups with their committed offsets, all or none (Kafka's `deleteConsumerGroups`). A
   * consumer that joins under the name later begins at its `from`.
   *
   * Throws `GROUP_ID_NOT_FOUND`, and `NON_EMPTY_GROUP` while one has members.
   */
  deleteGroups(groups: readonly string[], options?: AdminOptions): Promise<void> {
    return this.#caller.call((calls) => calls.deleteGroups(groups, options));
  }

  /**
   * The committed offsets of a group, by topic and partition (Kafka's `listConsumerGroupOffsets`;
   * KafkaJS's `fetchOffsets`).
   *
   * Throws `GROUP_ID_NOT_FOUND`.
   */
  listGroupOffsets(group: string, options?: AdminOptions): Promise<readonly CommittedOffset[]> {
    return this.#caller.call((calls) => calls.listGroupOffsets(group, options));
  }

  /**
   * Commits offsets of a group without being a member, all or none, and creates the group if it is
   * new (Kafka's `alterConsumerGroupOffsets`; KafkaJS's `setOffsets`). For applications that keep a
   * group's offsets themselves, as a connector does, or know the new offsets; `resetGroupOffsets`
   * looks the offsets up. An offset may lie before the partition's start: a reader then continues
   * at its `from`. Each partition is named once.
   *
   * Resolves to the committed offsets of these partitions. Throws `UNKNOWN_TOPIC`, a `RangeError`
   * for a partition that the topic does not have, `OFFSET_OUT_OF_RANGE` beyond an end, and
   * `NON_EMPTY_GROUP` while the group has members, unless forced.
   */
  alterGroupOffsets<const T extends readonly OffsetToCommit[]>(
    group: string,
    offsets: T,
    options?: AlterGroupOffsetsOptions,
  ): Promise<EachOf<T, CommittedOffset>> {
    return this.#caller.each<T, CommittedOffset>((calls) =>
      calls.alterGroupOffsets(group, offsets, options),
    );
  }

  /**
   * Moves a group to other positions, all or none (`kafka-consumer-groups.sh --reset-offsets`;
   * KafkaJS's `resetOffsets`): to the first record, the end, an offset or a time, as of the call.
   * Clears the metadata of the commits. Each partition is named once.
   *
   * Resolves to the committed offsets of these partitions. Throws `GROUP_ID_NOT_FOUND`,
   * `UNKNOWN_TOPIC`, a `RangeError` for a partition that the topic does not have, and
   * `NON_EMPTY_GROUP` while the group has members, unless forced.
   */
  resetGroupOffsets(
    group: string,
    offsets: readonly OffsetsToReset[],
    options?: AlterGroupOffsetsOptions,
  ): Promise<readonly CommittedOffset[]> {
    return this.#caller.call((calls) => calls.resetGroupOffsets(group, offsets, options));
  }

  /**
   * The id of the log, the number of stored bytes, and whether the browser promises to keep the
   * data (of Kafka's calls `describeLogDirs` is the nearest).
   */
  describeLog(options?: AdminOptions): Promise<LogDescription> {
    return this.#caller.call((calls) => calls.describeLog(options));
  }

  /**
   * Limits the size of the log as a whole; null: no limit but the browser's quota. The limit is
   * enforced when `retention` is: see `runLogCleaner`. Kafka limits partitions only.
   */
  alterLog(changes: LogChanges, options?: AdminOptions): Promise<void> {
    return this.#caller.call((calls) => calls.alterLog(changes, options));
  }

  /**
   * Runs retention and compaction, where timers stop between calls; elsewhere they run by themselves
   * 10 s after an append, and every 5 minutes. Throws what ends the pass, such as `STORAGE_FULL`.
   */
  runLogCleaner(options?: AdminOptions): Promise<void> {
    return this.#caller.call((calls) => calls.runLogCleaner(options));
  }

  /**
   * Checks every stored row: of a partition, that its batches follow each other from the start to
   * the end, that each has the checksum with which it was written, and that its records can be
   * read; and the rows of topics, groups and offsets. Changes nothing. For a page that tells its
   * user of lost data, or that has a copy elsewhere: a consumer meets a fault only when it gets
   * there. Kafka's nearest is `kafka-dump-log.sh`.
   *
   * The rows are read in short reads, between which other calls are served; appends, retention and
   * compaction meanwhile are no faults. Topics in memory are left out, as no browser has stored
   * them. Resolves to one report, also when there are faults; an aborted `signal` ends the check.
   * Throws `UNKNOWN_TOPIC`, and `LOG_CORRUPT` for a named topic whose row is damaged.
   */
  scrub(options?: ScrubOptions): Promise<ScrubReport> {
    return this.#caller.call((calls) => calls.scrub(options));
  }
}
