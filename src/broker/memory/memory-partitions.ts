import { deadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { CLOSED, PROTOCOL_MISMATCH } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import type { PartitionName } from '../../log/head.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { Broker, ImportedPartition, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import { Leadership } from '../../platform/leadership.ts';
import type { Liveness } from '../../platform/liveness.ts';
import { PeerChannel } from '../../platform/peer-channel.ts';
import type { Peer } from '../../platform/peer-channel.ts';
import { serveBroker } from '../../protocol/serve-broker.ts';
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
  readonly catalog: () => Promise<TopicCatalog>;
  /** Answers the brokers that ask this one. */
  readonly broker: Broker & { forget(clientId: string): void };
}

/** Whoever has the records and does not answer for this long has lost them. */
const DIAL_MS = 5_000;

/** What a call is tried again with, should those who have the records die one after the other. */
const MAX_TRIES = 3;

/** Whom to ask, and as long as that makes sense. */
interface Holder {
  readonly partitions: PartitionHost;
  readonly gone: AbortSignal;
}

/**
 * The partitions of topics in memory. One broker of the log has their records, whichever used such a
 * topic first; the others ask it. When it is gone, so are the records, and the next one begins anew.
 *
 * That promises less than the store does: a broker that wakes up may serve for a moment what another
 * one has taken over. Offsets tell the two apart, and what it takes in is lost with it.
 */
export class MemoryPartitions implements PartitionHost {
  readonly #options: MemoryPartitionsOptions;
  readonly #name: string;
  readonly #closing = new AbortController();
  /** Ends the connection with each of those who ask this one. */
  readonly #peers = new Set<() => void>();
  #channel: PeerChannel | undefined;
  #leadership: Leadership | undefined;
  #standing: Promise<unknown> | undefined;
  /** The records are here. */
  #own: MemoryLog | undefined;
  #remote: Promise<Holder | undefined> | undefined;
  /** Who leads as far as is known, once there is a connection. */
  #leader: unknown;
  /** Aborts when somebody else has the records than before. */
  #moved = new AbortController();

  constructor(options: MemoryPartitionsOptions) {
    this.#options = options;
    this.#name = `memory/${options.logId}`;
  }

  get logId(): string {
    return this.#options.logId;
  }

  async append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    const holder = await this.#holder().catch(toTablogError);
    if (holder instanceof TablogError) return appends.map(() => holder);
    return holder.partitions.append(appends, durability);
  }

  async fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]> {
    for (;;) {
      const { partitions, gone } = await this.#holder();
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

  bounds(names: readonly PartitionName[]): Promise<PartitionBounds[]> {
    return this.#ask((partitions) => partitions.bounds(names));
  }

  describe(row: TopicRow): Promise<PartitionDescription[]> {
    return this.#ask((partitions) => partitions.describe(row));
  }

  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    return this.#ask((partitions) => partitions.deleteRecords(request));
  }

  async importPartition(request: Request<'importPartition'>): Promise<ImportedPartition> {
    const { partitions } = await this.#holder();
    return partitions.importPartition(request);
  }

  topicsChanged(): void {
    // What cannot be looked up now is at the next change.
    this.#own?.topicsChanged().catch(() => {});
  }

  close(): void {
    this.#standing ??= Promise.resolve(); // whoever asks from now on stands for nothing
    this.#closing.abort();
    this.#hangUp();
    this.#leadership?.close();
    this.#channel?.close();
    this.#move();
    this.#own?.close();
  }

  /** What `call` brings, which may be called more than once. */
  async #ask<T>(call: (partitions: PartitionHost) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const { partitions, gone } = await this.#holder();
      try {
        return await call(partitions);
      } catch (error) {
        const again = gone.aborted && !this.#closing.signal.aborted && tries < MAX_TRIES;
        if (!again) throw error;
      }
    }
  }

  async #holder(): Promise<Holder> {
    await (this.#standing ??= this.#stand());
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

  #stand(): Promise<unknown> {
    const serve = (peer: Peer): void => this.#serve(peer);
    const channel = new PeerChannel(this.#name, serve, () => void this.#heardOfLeader());
    this.#channel = channel;
    this.#leadership = new Leadership(`tablog/${this.#name}`, {
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
    return this.#leadership.stand();
  }

  /** Connects to whoever has the records; takes over from one that does not answer. */
  async #dial(moved: AbortSignal): Promise<Holder | undefined> {
    const { clock, logId } = this.#options;
    const options = { clock, deadlineMs: DIAL_MS, signal: moved };
    this.#leader = undefined; // who leads from now on may not have heard the call
    const leader = await this.#leadership!.leader();
    const peer = await this.#channel!.dial(randomId(), options);
    if (peer === undefined) {
      if (!moved.aborted) await this.#leadership!.depose(leader);
      return undefined;
    }
    const remote = new RemotePartitions(peer, clock);
    moved.addEventListener('abort', () => remote.close(), { once: true, signal: remote.gone });
    if (moved.aborted) remote.close();
    await remote.greet(logId).catch((error: unknown) => {
      remote.close();
      // One that does not greet is gone, too, and somebody else is looked for.
      if (error instanceof TablogError && error.code === PROTOCOL_MISMATCH.code) throw error;
    });
    if (!moved.aborted) this.#leader = leader;
    return { partitions: remote, gone: remote.gone };
  }

  /**
   * Any script of the origin can say so: a connection stays where the leader is the same. One that led
   * before, too, has ended its connections.
   */
  async #heardOfLeader(): Promise<void> {
    const leader = await this.#leadership!.leader().catch(() => null); // nobody can tell: look anew
    if (leader !== this.#leader) this.#move();
  }

  /** Whoever was being called does not have the records any more. */
  #move(): void {
    this.#moved.abort();
    this.#moved = new AbortController();
    this.#remote = undefined;
  }

  /** What this one says from now on is not what the next one says. */
  #hangUp(): void {
    for (const end of this.#peers) end();
  }

  #serve(peer: Peer): void {
    const { broker, clock, liveness } = this.#options;
    const end = (): void => {
      cancel();
      this.#peers.delete(end);
      peer.endpoint.postMessage(END, []);
      peer.close();
    };
    // Whoever called may have given up before it was answered.
    const cancel = deadline(clock, DIAL_MS, end);
    this.#peers.add(end);
    serveBroker(peer.endpoint, async ({ clientId }) => {
      cancel();
      liveness.whenDead('client', clientId, this.#closing.signal, () => {
        broker.forget(clientId);
        end();
      });
      return { response: { protocol: PROTOCOL_VERSION, brokerId: this.#name }, broker };
    });
  }
}
