import { mustBeInteger } from '../base/argument.ts';
import { systemClock } from '../platform/clock.ts';
import { TablogError, toTablogError } from '../base/error.ts';
import type { LogAppendInfo } from '../log/append.ts';
import { logOf, logRef } from '../store/schema.ts';
import type { Durability } from '../store/store.ts';
import type { BrokerDiagnostics } from '../protocol/diagnostics.ts';
import { toErrorData } from '../protocol/error-data.ts';
import type {
  Broker,
  ImportedRecords,
  OpenRequest,
  OpenedLog,
  Request,
  StoredLog,
} from '../protocol/broker.ts';
import type { FetchedPartition, TopicOffsets } from '../protocol/fetch.ts';
import type { Append, AppendResult, TransactionalHolder } from '../protocol/produce.ts';
import type { FoundFault, ScrubbedRows } from '../protocol/scrub.ts';
import type { TopicDescription, TopicInfo, TopicSpec } from '../protocol/topic.ts';
import type {
  CommittedOffset,
  GroupDescription,
  GroupListing,
  GroupPosition,
  MemberView,
} from '../protocol/group.ts';
import { isHint, openHintChannel } from '../protocol/hint.ts';
import type { Hint, HintChannel } from '../protocol/hint.ts';
import { lockLiveness } from '../platform/locks/liveness.ts';
import { failedCall, inlineDiagnostics } from './diagnostics/diagnostics.ts';
import type { Diagnostics } from './diagnostics/diagnostics.ts';
import { Fetches } from './fetches.ts';
import { HintSender } from './hint-sender.ts';
import type { AppendOutcome } from './partitions/group-commit.ts';
import { StoreConnection, isCutOff } from './store-connection.ts';
import { mapDistinct } from './waiting/map-distinct.ts';
import { readStoredLog } from './read-heads.ts';
import { openedLog } from './witnessed-log.ts';
import { OffsetLookups } from './offset-lookups.ts';
import { topicInfo } from './rows/topic-row.ts';
import { scrubRows } from './scrub-rows.ts';
import type { LogBrokerOptions } from './log-broker-options.ts';
import { explainFetched, explainMissing } from './topics/missing-head.ts';

/**
 * One broker of a log. All durable state is read and written in the store's transactions, and no
 * broker decides anything outside of them. So any number of brokers can serve the same log.
 */
export class LogBroker implements Broker {
  readonly #hints: HintChannel;
  readonly #sender: HintSender;
  readonly #fetches: Fetches;
  readonly #connection: StoreConnection;
  readonly #lookups: OffsetLookups;
  readonly #diagnostics: Diagnostics;

  constructor(options: LogBrokerOptions) {
    const { name, openStore, ...platform } = options;
    const { clock = systemClock, liveness = lockLiveness(platform.locks) } = options;
    const { diagnostics = inlineDiagnostics(clock, platform.crypto) } = options;
    this.#diagnostics = diagnostics;
    const onMessage = (data: unknown): void => {
      // A failure is dropped: a hint may be lost, and a forged one names what does not exist.
      if (isHint(data)) this.#onHint(data).catch(() => {});
    };
    this.#hints = openHintChannel(name, onMessage, platform.openChannel);
    this.#sender = new HintSender(clock, (hint) => this.#hints.post(hint));
    this.#fetches = new Fetches(clock, (wanted, limits) =>
      this.#connection.run(async ({ partitions, topics }) => {
        const found = await partitions.fetch(wanted, limits);
        return Promise.all(found.map((part) => explainFetched(topics, part)));
      }),
    );
    this.#lookups = new OffsetLookups((use) => this.#connection.run(use));
    this.#connection = new StoreConnection({
      name,
      openStore,
      clock,
      liveness,
      platform,
      broker: this,
      diagnostics,
      post: (hint) => this.#hints.post(hint),
      onAppended: (appended) => this.#sender.appended(appended),
      onDeleted: () => this.#stop(),
    });
  }

  /** Whether the broker was closed or its log deleted: every later call then rejects. */
  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  async openLog({ logId, witness, onUnrecoverable }: OpenRequest): Promise<OpenedLog> {
    const connection = this.#connection;
    const opening =
      logId === null ? connection.openOrCreate(onUnrecoverable) : connection.openOf(logId);
    return connection.run((session) => openedLog(session, witness), opening);
  }

  async describeLog(): Promise<StoredLog> {
    return this.#connection.run(({ store, topics }) => readStoredLog(store, topics));
  }

  async describeBroker(): Promise<BrokerDiagnostics> {
    const waitingFetches = this.#fetches.size;
    return this.#diagnostics.read({ waitingFetches, ...this.#connection.counts });
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<TopicInfo[]> {
    return this.#connection.run(async ({ topics }) => (await topics.create(specs)).map(topicInfo));
  }

  async deleteTopics(names: readonly string[]): Promise<null> {
    await this.#connection.run(({ topics }) => topics.delete(names));
    return null;
  }

  async listTopics(): Promise<TopicInfo[]> {
    return this.#connection.run(async ({ topics }) => (await topics.list()).map(topicInfo));
  }

  async describeTopics(names: readonly string[]): Promise<TopicDescription[]> {
    return this.#connection.run(async ({ topics, partitions }) => {
      const rows = await topics.mustGet(names);
      const described = await mapDistinct(rows, (row) => partitions.describe(row));
      return rows.map((row, i) => ({ ...topicInfo(row), partitions: described[i]! }));
    });
  }

  async createPartitions(request: Request<'createPartitions'>): Promise<TopicInfo[]> {
    return this.#connection.run(async ({ topics }) =>
      (await topics.createPartitions(request)).map(topicInfo),
    );
  }

  async alterTopics(request: Request<'alterTopics'>): Promise<TopicInfo[]> {
    return this.#connection.run(async ({ topics }) => (await topics.alter(request)).map(topicInfo));
  }

  async deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    return this.#connection.run(({ partitions }) => partitions.deleteRecords(request));
  }

  async importPartition(request: Request<'importPartition'>): Promise<ImportedRecords> {
    return this.#connection.run(({ partitions }) => partitions.importPartition(request));
  }

  async alterLog({ maxBytes }: Request<'alterLog'>): Promise<null> {
    if (maxBytes !== null) mustBeInteger('maxBytes', maxBytes, 1);
    await this.#connection.run(async (session) => {
      await session.store.update([logRef], ([log], write) => {
        write.put(logRef.store, logRef.key, { ...logOf(log), maxBytes });
      });
      session.cleaning.soon();
    });
    return null;
  }

  async runLogCleaner(): Promise<boolean> {
    return this.#connection.run(({ cleaning }) => cleaning.now());
  }

  async scrubRows(): Promise<FoundFault[]> {
    return this.#connection.run(({ store }) => scrubRows(store));
  }

  async scrubPartition(request: Request<'scrubPartition'>): Promise<ScrubbedRows> {
    return this.#connection.run(({ disk }) => disk.scrub(request));
  }

  async produce({ appends, durability }: Request<'produce'>): Promise<AppendResult[]> {
    const results = await this.#append(appends, durability);
    const failed = results.find((result) => result instanceof TablogError);
    if (failed !== undefined) this.#diagnostics.record(...failedCall('produce', failed));
    return results.map((result) =>
      result instanceof TablogError ? { error: toErrorData(result) } : result,
    );
  }

  async fetch(request: Request<'fetch'>): Promise<FetchedPartition[]> {
    return this.#fetches.fetch(request);
  }

  async cancelFetch({ clientId, fetchId }: Request<'cancelFetch'>): Promise<null> {
    this.#fetches.cancel(clientId, fetchId);
    return null;
  }

  async listOffsets(request: Request<'listOffsets'>): Promise<number[]> {
    return this.#lookups.listOffsets(request);
  }

  async listTopicOffsets(request: Request<'listTopicOffsets'>): Promise<TopicOffsets[]> {
    return this.#lookups.listTopicOffsets(request);
  }

  async initProducer(request: Request<'initProducer'>): Promise<TransactionalHolder> {
    return this.#connection.run(({ transactionalProducers }) =>
      transactionalProducers.init(request),
    );
  }

  async transact({ appends, ...rest }: Request<'transact'>): Promise<LogAppendInfo[]> {
    const ready = this.#lookups.settledBefore(appends);
    return this.#connection.commit(rest.commits, async (session) => {
      await ready;
      return session.transact(appends, rest);
    });
  }

  async joinGroup(request: Request<'joinGroup'>): Promise<MemberView> {
    return this.#connection.run(({ groups }) => groups.join(request));
  }

  async syncGroup(request: Request<'syncGroup'>): Promise<MemberView> {
    return this.#connection.run(({ groups }) => groups.sync(request));
  }

  async releasePartitions(request: Request<'releasePartitions'>): Promise<MemberView> {
    return this.#connection.run(({ groups }) => groups.release(request));
  }

  async leaveGroup(request: Request<'leaveGroup'>): Promise<null> {
    await this.#connection.commit([request], ({ groups }) => groups.leave(request));
    return null;
  }

  async commitOffsets(request: Request<'commitOffsets'>): Promise<null> {
    await this.#connection.commit([request], ({ groupOffsets }) => groupOffsets.commit(request));
    return null;
  }

  async positionPartitions(request: Request<'positionPartitions'>): Promise<GroupPosition[]> {
    return this.#connection.run(({ groupOffsets }) => groupOffsets.position(request));
  }

  async listGroups(): Promise<GroupListing[]> {
    return this.#connection.run(({ groupAdmin }) => groupAdmin.list());
  }

  async describeGroups(groupIds: readonly string[]): Promise<GroupDescription[]> {
    return this.#connection.run(({ groupAdmin }) => groupAdmin.describe(groupIds));
  }

  async deleteGroups(groupIds: readonly string[]): Promise<null> {
    await this.#connection.run(({ groupAdmin }) => groupAdmin.delete(groupIds));
    return null;
  }

  async listGroupOffsets({ groupId }: Request<'listGroupOffsets'>): Promise<CommittedOffset[]> {
    return this.#connection.run(({ groupAdmin }) => groupAdmin.listOffsets(groupId));
  }

  async alterGroupOffsets(request: Request<'alterGroupOffsets'>): Promise<CommittedOffset[]> {
    const altered = this.#connection.run(({ groupAdmin }) => groupAdmin.alterOffsets(request));
    return this.#lookups.holdAppendsFor('disk', this.#lookups.holdAppendsFor('memory', altered));
  }

  /** Drops the fetches and fetch sessions of a client that has died. */
  forget(clientId: string): void {
    this.#fetches.forget(clientId);
  }

  close(): void {
    if (this.#connection.isClosed) return;
    this.#fetches.close();
    this.#stop();
    this.#connection.close();
  }

  /** Leaves the hint channel: from now on the broker neither receives nor posts hints. */
  #stop(): void {
    this.#sender.close();
    this.#hints.close();
  }

  /**
   * Appends the batches; resolves with the outcome of each. After a closed connection the batches
   * that were not stored are appended once more, over a new connection.
   */
  async #append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    await this.#lookups.settledBefore(appends);
    const results: AppendOutcome[] = [];
    let left = appends.map((append, i) => ({ append, i }));
    for (let tries = 0; left.length > 0 && tries < 2; tries++) {
      try {
        const session = await this.#connection.open();
        const asked = left.map(({ append }) => append);
        const outcomes = await session.partitions.append(asked, durability);
        for (const [at, { i }] of left.entries()) {
          results[i] = await explainMissing(session.topics, outcomes[at]!);
        }
        if (!session.store.closed.aborted) break;
      } catch (error) {
        for (const { i } of left) results[i] = toTablogError(error);
        break;
      }
      left = left.filter(({ i }) => isCutOff(results[i]));
    }
    const { deletion } = this.#connection;
    if (deletion === undefined) return results;
    return results.map((result) => (result instanceof TablogError ? deletion : result));
  }

  async #onHint(hint: Hint): Promise<void> {
    // A deletion closes the connection to the store, or fails the next one to open.
    if (hint.kind === 'deleted') return;
    const session = await this.#connection.current;
    if (session === undefined) return; // without a session nothing is cached
    if (hint.kind === 'topics') session.topicsChanged();
    else if (hint.kind === 'trimmed') await session.disk.fetcher.heardOfTrim(hint);
    else if (hint.kind !== 'appended') session.groups.heard(hint);
    else for (const appended of hint.partitions) session.disk.fetcher.heardOfAppend(appended);
  }
}
