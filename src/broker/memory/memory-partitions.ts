import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { deadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { CLOSED, PROTOCOL_MISMATCH } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { Broker, ImportedRecords, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import { LeaderElection } from '../../platform/locks/leader-election.ts';
import type { Liveness } from '../../platform/locks/liveness.ts';
import type { Platform } from '../../platform/platform.ts';
import { PeerChannel } from '../../platform/peer-channel.ts';
import type { Peer } from '../../platform/peer-channel.ts';
import { serveBroker } from '../../protocol/port/serve-broker.ts';
import type { Durability } from '../../store/store.ts';
import type { AppendOutcome } from '../partitions/group-commit.ts';
import { MemoryLog } from './memory-log.ts';
import type { FetchLimits, PartitionBounds, PartitionHost } from '../partitions/partition-host.ts';
import { END, RemotePartitions } from './remote-partitions.ts';
import type { TopicCatalog } from '../topics/topic-catalog.ts';
import type { TopicRow } from '../rows/topic-row.ts';

export interface MemoryPartitionsOptions {
  readonly logId: string;
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly platform: Platform;
  readonly catalog: () => Promise<TopicCatalog>;
  /** The broker that answers the calls of other brokers. */
  readonly broker: Broker & { forget(clientId: string): void };
}

/** A leader that does not answer for this long is deposed, in milliseconds. */
const DIAL_MS = 5_000;

/** The most connections without a hello: any script of the origin can dial and say nothing. */
const MAX_SILENT_PEERS = 256;

/** The most leaders to which a call is sent when they die one after the other. */
const MAX_TRIES = 3;

/** The partitions of the broker that leads; `gone` aborts when it leads no more. */
interface Leader {
  readonly partitions: PartitionHost;
  readonly gone: AbortSignal;
}

/**
 * The partitions of topics in memory. One broker of the log, the leader, has their records; the
 * other brokers call it. When the leader is gone, so are the records, and the next leader begins
 * with none.
 *
 * Topics in memory promise less than topics on disk: a deposed leader that wakes up can serve for a
 * moment. Its offsets differ from those of the new leader, and records that it takes in are lost.
 */
export class MemoryPartitions implements PartitionHost {
  readonly #options: MemoryPartitionsOptions;
  readonly #name: string;
  readonly #closing = new AbortController();
  /** Functions that end the connections of brokers that dialled this one. */
  readonly #peers = new Set<() => void>();
  /** The `#peers` without a hello yet, the oldest first. */
  readonly #silent = new Set<() => void>();
  #channel: PeerChannel | undefined;
  #election: LeaderElection | undefined;
  #campaign: Promise<unknown> | undefined;
  /** The records, while this broker leads. */
  #own: MemoryLog | undefined;
  #remote: Promise<Leader | undefined> | undefined;
  /** The Web Locks client id of the leader that `#remote` is connected to. */
  #knownLeader: unknown;
  /** Aborts when another broker has become the leader. */
  #moved = new AbortController();

  constructor(options: MemoryPartitionsOptions) {
    this.#options = options;
    this.#name = `memory/${options.logId}`;
  }

  async append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    const leader = await this.#reachLeader().catch(toTablogError);
    if (leader instanceof TablogError) return appends.map(() => leader);
    return leader.partitions.append(appends, durability);
  }

  async fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]> {
    for (;;) {
      const { partitions, gone } = await this.#reachLeader();
      try {
        return await partitions.fetch(wanted, limits);
      } catch (error) {
        if (!gone.aborted || this.#closing.signal.aborted) throw error;
        if (limits.signal.aborted || this.#options.clock.now() >= limits.expires) return [];
      }
    }
  }

  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number> {
    return this.#ask((partitions) => partitions.offset(topicId, partition, at));
  }

  bounds(names: readonly TopicIdPartition[]): Promise<PartitionBounds[]> {
    return this.#ask((partitions) => partitions.bounds(names));
  }

  describe(row: TopicRow): Promise<PartitionDescription[]> {
    return this.#ask((partitions) => partitions.describe(row));
  }

  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    return this.#ask((partitions) => partitions.deleteRecords(request));
  }

  async importPartition(request: Request<'importPartition'>): Promise<ImportedRecords> {
    const { partitions } = await this.#reachLeader();
    return partitions.importPartition(request);
  }

  topicsChanged(): void {
    // A failure is dropped: the next change of topics tries again.
    this.#own?.topicsChanged().catch(() => {});
  }

  close(): void {
    this.#campaign ??= Promise.resolve(); // later calls must not enter the election
    this.#closing.abort();
    this.#hangUp();
    this.#election?.close();
    this.#channel?.close();
    this.#move();
    this.#own?.close();
  }

  /** Calls the leader; calls the next leader when this one dies, so `call` has to be idempotent. */
  async #ask<T>(call: (partitions: PartitionHost) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const { partitions, gone } = await this.#reachLeader();
      try {
        return await call(partitions);
      } catch (error) {
        const again = gone.aborted && !this.#closing.signal.aborted && tries < MAX_TRIES;
        if (!again) throw error;
      }
    }
  }

  /** The leader: this broker itself, or the leader that it is connected to or dials. */
  async #reachLeader(): Promise<Leader> {
    await (this.#campaign ??= this.#startCampaign());
    for (;;) {
      if (this.#closing.signal.aborted) throw new TablogError(CLOSED, 'the broker is closed');
      if (this.#own !== undefined) return this.#own;
      const dialling = (this.#remote ??= this.#dial(this.#moved.signal));
      const remote = await dialling.catch(toTablogError);
      const isError = remote instanceof TablogError;
      if (!isError && remote?.gone.aborted === false) return remote;
      if (this.#remote === dialling) this.#remote = undefined;
      if (isError) throw remote;
    }
  }

  #startCampaign(): Promise<unknown> {
    const { platform } = this.#options;
    const serve = (peer: Peer): void => this.#serve(peer);
    const channel = new PeerChannel(this.#name, serve, () => void this.#heardOfLeader(), platform);
    this.#channel = channel;
    this.#election = new LeaderElection(`tablog/${this.#name}`, {
      locks: platform.locks,
      onElected: () => {
        this.#own = new MemoryLog(this.#options);
        this.#move();
        channel.lead();
      },
      onDeposed: () => {
        channel.follow();
        this.#hangUp();
        this.#own?.close();
        this.#own = undefined;
      },
    });
    return this.#election.campaign();
  }

  /** Connects to the leader; deposes a leader that does not answer. */
  async #dial(moved: AbortSignal): Promise<Leader | undefined> {
    const { clock, logId, platform } = this.#options;
    const options = { clock, deadlineMs: DIAL_MS, signal: moved };
    this.#knownLeader = undefined; // a leader elected during the dial has not heard the call
    const leader = await this.#election!.leader();
    const peer = await this.#channel!.dial(randomId(platform.crypto), options);
    if (peer === undefined) {
      if (!moved.aborted) await this.#election!.takeOver(leader);
      return undefined;
    }
    const remote = new RemotePartitions(peer, clock, platform);
    moved.addEventListener('abort', () => remote.close(), { once: true, signal: remote.gone });
    if (moved.aborted) remote.close();
    await remote.greet(logId).catch((error: unknown) => {
      remote.close();
      // A leader that does not answer the hello counts as gone, and `#reachLeader` dials again.
      if (error instanceof TablogError && error.code === PROTOCOL_MISMATCH.code) throw error;
    });
    if (!moved.aborted) this.#knownLeader = leader;
    return { partitions: remote, gone: remote.gone };
  }

  /**
   * Handles a notice that another broker leads. Any script of the origin can post one, so the lock
   * is queried, and a connection to the same leader stays.
   */
  async #heardOfLeader(): Promise<void> {
    const leader = await this.#election!.leader().catch(() => null); // null: dial anew
    if (leader !== this.#knownLeader) this.#move();
  }

  /** Forgets the leader, so that the next call dials anew. */
  #move(): void {
    this.#moved.abort();
    this.#moved = new AbortController();
    this.#remote = undefined;
  }

  /**
   * Ends the connections of other brokers, because this broker's records are no longer the
   * leader's.
   */
  #hangUp(): void {
    for (const end of this.#peers) end();
  }

  #serve(peer: Peer): void {
    const { broker, clock, liveness } = this.#options;
    const end = (): void => {
      cancel();
      this.#silent.delete(end);
      this.#peers.delete(end);
      peer.endpoint.postMessage(END, []);
      peer.close();
    };
    // A caller that has given up never sends its hello.
    const cancel = deadline(clock, DIAL_MS, end);
    this.#peers.add(end);
    this.#silent.add(end);
    const [oldest] = this.#silent;
    if (this.#silent.size > MAX_SILENT_PEERS) oldest!();
    serveBroker(peer.endpoint, async ({ clientId }) => {
      cancel();
      this.#silent.delete(end);
      liveness.onDeath('client', clientId, this.#closing.signal, () => {
        broker.forget(clientId);
        end();
      });
      return { response: { protocol: PROTOCOL_VERSION, brokerId: this.#name }, broker };
    });
  }
}
