import { abortable } from '../../base/abortable.ts';
import {
  checkArray,
  checkEach,
  checkInteger,
  checkName,
  mistake,
  signalOf,
} from '../../base/argument.ts';
import type { AlterGroupOffsetsRequest, Method, Request, Response } from '../../protocol/broker.ts';
import type { CommittedOffset, GroupDescription, GroupListing } from '../../protocol/group.ts';
import type { TopicDescription, TopicInfo } from '../../protocol/topic.ts';
import type { Connection } from '../connection/connection.ts';
import { checkOffsetToCommit } from '../consumer/offset-to-commit.ts';
import type { OffsetToCommit } from '../consumer/offset-to-commit.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import { checkPosition } from '../fetch/position.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { asSpec, checkConfig, checkPartitions } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';
import {
  ALTER_CHECKS,
  CREATE_CHECKS,
  SCRUB_CHECKS,
  checkGroups,
  checkPartitionsOnce,
  checkTopicsOnce,
  entries,
  entry,
  nameOf,
  named,
  namedPartition,
  namesOf,
} from './admin-arguments.ts';
import type {
  AdminOptions,
  AlterGroupOffsetsOptions,
  CreateTopicsOptions,
  DeletedRecords,
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
import { BrokerCalls } from './broker-calls.ts';
import { exportBatches, joinFiles } from './log-file.ts';
import type { LogFile } from './log-file.ts';
import { originStorage } from './origin-storage.ts';
import type { ResolvedPartition } from './resolve-partitions.ts';
import { resolvePartitions, withTopic } from './resolve-partitions.ts';
import { scrubTopics } from './scrub-topics.ts';

/** The extra time for the answer to an import: the worker reads every record of the file. */
const MAX_IMPORT_MS = 120_000;

/** The implementation of `Admin`, which documents the methods. The first call loads it. */
export class AdminCalls {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;
  readonly #broker: BrokerCalls;

  constructor(connection: Connection, topicMetadata: TopicMetadata) {
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
    this.#broker = new BrokerCalls(connection, topicMetadata);
  }

  async createTopics(
    topics: readonly TopicLike[],
    options: CreateTopicsOptions = {},
  ): Promise<readonly TopicInfo[]> {
    checkArray('createTopics() takes an array of topics', topics);
    const { version, signal } = checkEach('createTopics()', options, CREATE_CHECKS);
    const given = version !== undefined && { version };
    const specs = topics.map((topic) => ({ ...asSpec(topic), ...given }));
    checkTopicsOnce('createTopics()', specs);
    return this.#broker.ask('createTopics', specs, signal);
  }

  async createPartitions(
    topics: readonly NewPartitions[],
    options?: AdminOptions,
  ): Promise<readonly TopicInfo[]> {
    const call = 'createPartitions()';
    const request = entries(call, topics, ['topic', 'partitions']).map(({ topic, partitions }) => {
      checkPartitions(partitions);
      return { name: nameOf(topic), partitions };
    });
    checkTopicsOnce(call, request);
    return this.#call('createPartitions', request, options);
  }

  async alterTopics(
    topics: readonly TopicToAlter[],
    options?: AdminOptions,
  ): Promise<readonly TopicInfo[]> {
    const call = 'alterTopics()';
    const request = entries(call, topics, ['topic', 'config']).map(({ topic, config }) => ({
      name: nameOf(topic),
      config: checkConfig(config),
    }));
    checkTopicsOnce(call, request);
    return this.#call('alterTopics', request, options);
  }

  async deleteTopics(topics: readonly TopicLike[], options?: AdminOptions): Promise<void> {
    await this.#call('deleteTopics', namesOf('deleteTopics()', topics), options);
  }

  async listTopics(options?: AdminOptions): Promise<readonly TopicInfo[]> {
    return this.#call('listTopics', null, options);
  }

  async describeTopics(
    topics: readonly TopicLike[],
    options?: AdminOptions,
  ): Promise<readonly TopicDescription[]> {
    return this.#call('describeTopics', namesOf('describeTopics()', topics), options);
  }

  async listOffsets(
    offsets: readonly OffsetsToList[],
    options?: AdminOptions,
  ): Promise<readonly ListedOffset[]> {
    const call = 'listOffsets()';
    const signal = signalOf(call, options);
    const wanted = entries(call, offsets, ['topic', 'partition', 'at']).map((each) => {
      const spec = checkPosition(each.at);
      if ('offset' in spec) throw mistake(`${call} takes no offset`, each.at);
      return { ...named(each), at: spec.at };
    });
    const resolved = await resolvePartitions(this.#topicMetadata, wanted, signal);
    const found = await this.#broker.ask('listOffsets', resolved, signal);
    return resolved.map(({ topic, partition }, i) => ({ topic, partition, offset: found[i]! }));
  }

  async deleteRecords(
    records: readonly RecordsToDelete[],
    options?: AdminOptions,
  ): Promise<readonly DeletedRecords[]> {
    const call = 'deleteRecords()';
    const signal = signalOf(call, options);
    const wanted = entries(call, records, ['topic', 'partition', 'before']).map((each) => {
      const { before } = each;
      if (before !== 'latest') checkInteger("before, unless it is 'latest',", before, 0);
      return { ...namedPartition(each), before };
    });
    checkPartitionsOnce(call, wanted);
    const resolved = await resolvePartitions(this.#topicMetadata, wanted, signal);
    const latest = resolved.filter(({ before }) => before === 'latest');
    const ends =
      latest.length === 0
        ? []
        : await this.#broker.ask(
            'listOffsets',
            latest.map((each) => ({ ...each, at: 'latest' as const })),
            signal,
          );
    const end = ends.values();
    const request = resolved.map(({ before, ...each }) => ({
      ...each,
      before: before === 'latest' ? end.next().value! : before,
    }));
    const starts = await this.#broker
      .ask('deleteRecords', request, signal)
      .catch((error: unknown) => {
        throw withTopic(error, request);
      });
    return request.map(({ topic, partition }, i) => ({
      topic,
      partition,
      startOffset: starts[i]!,
    }));
  }

  async *exportPartition(
    from: TopicPartition,
    options?: AdminOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { topicId, partition, signal } = await this.#locate('exportPartition()', from, options);
    const batches = exportBatches(this.#connection, topicId, partition);
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await abortable(signal, batches.next());
      if (done === true) return;
      yield value;
    }
  }

  async importPartition(
    to: TopicPartition,
    file: LogFile | readonly LogFile[],
    options?: AdminOptions,
  ): Promise<ImportedPartition> {
    const located = await this.#locate('importPartition()', to, options);
    const { topic, topicId, partition, signal } = located;
    const request = { topicId, partition, ...(await joinFiles(file, signal)) };
    const imported = await this.#broker.ask('importPartition', request, signal, MAX_IMPORT_MS);
    return { topic, partition, ...imported };
  }

  async listGroups(options?: AdminOptions): Promise<readonly GroupListing[]> {
    return this.#call('listGroups', null, options);
  }

  async describeGroups(
    groups: readonly string[],
    options?: AdminOptions,
  ): Promise<readonly GroupDescription[]> {
    checkGroups('describeGroups()', groups);
    return this.#call('describeGroups', groups, options);
  }

  async deleteGroups(groups: readonly string[], options?: AdminOptions): Promise<void> {
    checkGroups('deleteGroups()', groups);
    await this.#call('deleteGroups', groups, options);
  }

  async listGroupOffsets(
    group: string,
    options?: AdminOptions,
  ): Promise<readonly CommittedOffset[]> {
    checkName('group name', group);
    return this.#call('listGroupOffsets', { groupId: group }, options);
  }

  async alterGroupOffsets(
    group: string,
    offsets: readonly OffsetToCommit[],
    options?: AlterGroupOffsetsOptions,
  ): Promise<readonly CommittedOffset[]> {
    const call = 'alterGroupOffsets()';
    checkArray(`${call} takes an array of offsets`, offsets);
    const partitions = offsets.map((each) => {
      const { offset, metadata, ...where } = checkOffsetToCommit(call, each);
      return { ...namedPartition(where), to: { offset }, metadata };
    });
    return this.#alterOffsets(call, { groupId: group, partitions, isReset: false }, options);
  }

  async resetGroupOffsets(
    group: string,
    offsets: readonly OffsetsToReset[],
    options?: AlterGroupOffsetsOptions,
  ): Promise<readonly CommittedOffset[]> {
    const call = 'resetGroupOffsets()';
    const partitions = entries(call, offsets, ['topic', 'partition', 'to']).map((each) => ({
      ...named(each),
      to: checkPosition(each.to),
      metadata: '',
    }));
    return this.#alterOffsets(call, { groupId: group, partitions, isReset: true }, options);
  }

  async #alterOffsets(
    call: string,
    request: Omit<AlterGroupOffsetsRequest, 'force'>,
    options: AlterGroupOffsetsOptions = {},
  ): Promise<readonly CommittedOffset[]> {
    checkName('group name', request.groupId);
    checkPartitionsOnce(call, request.partitions);
    const { force = false, signal } = checkEach(call, options, ALTER_CHECKS);
    return this.#broker.ask('alterGroupOffsets', { ...request, force }, signal);
  }

  async describeLog(options?: AdminOptions): Promise<LogDescription> {
    const signal = signalOf('describeLog()', options);
    const [log, origin] = await Promise.all([
      this.#broker.ask('describeLog', null, signal),
      abortable(signal, originStorage(this.#connection.clock)),
    ]);
    return { ...log, ...origin };
  }

  async alterLog(changes: LogChanges, options?: AdminOptions): Promise<void> {
    const { maxBytes } = entry('alterLog()', changes, ['maxBytes']);
    if (maxBytes !== null) checkInteger('maxBytes', maxBytes, 1);
    await this.#call('alterLog', { maxBytes }, options);
  }

  async runLogCleaner(options?: AdminOptions): Promise<void> {
    while (!(await this.#call('runLogCleaner', null, options)));
  }

  async scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    const { topics, signal } = checkEach('scrub()', options, SCRUB_CHECKS);
    const loads = topics?.map((topic) => this.#topicMetadata.load(nameOf(topic)));
    const infos = await (loads === undefined
      ? this.#broker.ask('listTopics', null, signal)
      : abortable(signal, Promise.all(loads)));
    return scrubTopics(this.#broker, infos, signal);
  }

  /** Calls the broker's method of the same name. */
  async #call<M extends Method & keyof AdminCalls>(
    method: M,
    request: Request<M>,
    options: AdminOptions | undefined,
  ): Promise<Response<M>> {
    return this.#broker.ask(method, request, signalOf(`${method}()`, options));
  }

  async #locate(
    call: string,
    where: TopicPartition,
    options: AdminOptions | undefined,
  ): Promise<ResolvedPartition & { readonly signal: AbortSignal | undefined }> {
    const wanted = namedPartition(entry(call, where, ['topic', 'partition']));
    const signal = signalOf(call, options);
    const [resolved] = await resolvePartitions(this.#topicMetadata, [wanted], signal);
    return { ...resolved!, signal };
  }
}
