import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { OUTCOME_UNKNOWN } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { ImportedRecords, Method, Request, Response } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import { BrokerPort } from '../../protocol/port/broker-port.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { heldInTime, holdLivenessLock } from '../../platform/locks/liveness.ts';
import { hasLocks } from '../../platform/locks/locks.ts';
import type { GivenLocks, Platform } from '../../platform/platform.ts';
import type { Peer } from '../../platform/peer-channel.ts';
import type { Durability } from '../../store/store.ts';
import type { AppendOutcome } from '../partitions/group-commit.ts';
import type { FetchLimits, PartitionBounds, PartitionHost } from '../partitions/partition-host.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/**
 * The deadline of a call to the leader, which answers from memory. Two calls and a new connection
 * take less than the deadline of a tab's call.
 */
const ANSWER_MS = 2_000;

/** The message that ends a connection. */
export const END = 'end';

/** The partitions of the leader, over one connection to it. */
export class RemotePartitions implements PartitionHost {
  readonly #clientId: string;
  readonly #peer: Peer;
  readonly #port: BrokerPort;
  readonly #clock: Clock;
  readonly #locks: GivenLocks;
  readonly #ending = new AbortController();
  #lastFetchId = 0;

  constructor(peer: Peer, clock: Clock, { crypto, locks }: Platform = {}) {
    this.#clientId = randomId(crypto);
    this.#locks = locks;
    this.#peer = peer;
    this.#port = new BrokerPort(peer.endpoint);
    this.#clock = clock;
    peer.endpoint.addEventListener('message', (event) => {
      if ((event as MessageEvent<unknown>).data === END) this.close();
    });
  }

  /** Aborts when the connection has ended. */
  get gone(): AbortSignal {
    return this.#ending.signal;
  }

  /** Says hello to the leader. Throws when it speaks another protocol or does not answer. */
  async greet(log: string): Promise<void> {
    const clientId = this.#clientId;
    const locks = this.#locks;
    // The leader drops a client whose lock is lost, so the connection ends here as well.
    const lost = (): void => this.close();
    if (hasLocks(locks)) {
      const held = holdLivenessLock('client', clientId, this.gone, lost, locks);
      await heldInTime(this.#clock, held, locks ?? undefined);
    }
    this.gone.throwIfAborted(); // `close` has rejected earlier calls, and would miss this one
    const hello = { protocol: PROTOCOL_VERSION, log, clientId, logId: null };
    await this.#inTime(this.#port.hello(hello));
  }

  async append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    try {
      const results = await this.#call('produce', { appends, durability });
      return results.map((result) => ('error' in result ? fromErrorData(result.error) : result));
    } catch (thrown) {
      const error = toTablogError(thrown);
      return appends.map(() => error);
    }
  }

  async fetch(
    partitions: readonly FetchPartition[],
    { expires, maxBytes, signal }: FetchLimits,
  ): Promise<FetchedPartition[]> {
    const clientId = this.#clientId;
    const fetchId = ++this.#lastFetchId;
    const maxWaitMs = signal.aborted ? 0 : Math.max(expires - this.#clock.now(), 0);
    const cancel = (): void => {
      this.#port.call('cancelFetch', { clientId, fetchId }).catch(() => {});
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const request = { clientId, fetchId, maxWaitMs, maxBytes, partitions };
      return (await this.#call('fetch', request, maxWaitMs)) as FetchedPartition[];
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  async offset(topicId: string, partition: number, at: OffsetSpec): Promise<number> {
    const [offset] = await this.#call('listOffsets', [{ topicId, partition, at }]);
    return offset!;
  }

  async bounds(partitions: readonly TopicIdPartition[]): Promise<PartitionBounds[]> {
    const at = (spec: OffsetSpec): Request<'listOffsets'> =>
      partitions.map(({ topicId, partition }) => ({ topicId, partition, at: spec }));
    const offsets = await this.#call('listOffsets', [...at('earliest'), ...at('latest')]);
    return partitions.map(({ topicId, partition }, i) => ({
      topicId,
      partition,
      startOffset: offsets[i]!,
      endOffset: offsets[i + partitions.length]!,
    }));
  }

  async describe({ name }: TopicRow): Promise<PartitionDescription[]> {
    const [topic] = await this.#call('describeTopics', [name]);
    return topic!.partitions as PartitionDescription[];
  }

  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    return this.#call('deleteRecords', request) as Promise<number[]>;
  }

  importPartition(request: Request<'importPartition'>): Promise<ImportedRecords> {
    return this.#call('importPartition', request);
  }

  close(): void {
    if (this.gone.aborted) return;
    const reason = new TablogError(
      OUTCOME_UNKNOWN,
      'the broker with the records is silent or gone',
    );
    this.#ending.abort(reason);
    this.#peer.close();
    this.#port.giveUp(reason);
  }

  async #call<M extends Method>(method: M, request: Request<M>, extraMs = 0): Promise<Response<M>> {
    this.gone.throwIfAborted(); // `close` has rejected earlier calls, and would miss this one
    return this.#inTime(this.#port.call(method, request), extraMs);
  }

  /** A call without an answer in time ends the connection, so that the leader is looked up anew. */
  #inTime<T>(answer: Promise<T>, extraMs = 0): Promise<T> {
    return withDeadline(this.#clock, ANSWER_MS + extraMs, answer, () => {
      this.close();
      return this.gone.reason as TablogError;
    });
  }
}
