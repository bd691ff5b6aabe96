import { deferred } from '../../base/deferred.ts';
import { isAway, toTablogError } from '../../base/error.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import type { Request } from '../../protocol/broker.ts';
import { BackOff } from '../../platform/retry.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import type { Connection } from '../connection/connection.ts';
import { loadInflate } from './load-inflate.ts';
import { FetchSession } from './fetch-session.ts';
import type { Inflate, PartitionReader } from './partition-reader.ts';

export interface FetcherOptions {
  readonly prefetchBytes: number;
  readonly maxPartitionBytes: number;
  readonly maxWaitMs: number;
}

/** The last fetch id. Fetch ids are unique within one client. */
let lastFetchId = 0;

/**
 * Keeps the readers' buffers filled, within a budget of bytes (Kafka's `Fetcher`). The fetch
 * session has all partitions with room in their buffer, and one long poll waits for any of them. A
 * partition that is new, or has room again, joins with the next poll; the broker then answers the
 * previous poll at once. So a busy partition never waits for an idle one, nor the reverse, and an
 * idle partition is sent once a session.
 */
export class Fetcher {
  readonly #connection: Connection;
  readonly #options: FetcherOptions;
  readonly #readers: readonly PartitionReader[];
  readonly #onPolled: () => void;
  #session: FetchSession | undefined;
  /** The polls in flight, with the most bytes that each may bring. */
  readonly #polls = new Map<number, number>();
  #arrival = deferred();
  #isActive = false;
  /** The back-off of polls that failed as a whole. */
  readonly #backOff: BackOff;
  /** The back-offs of partitions whose part of an answer failed. */
  readonly #backOffs = new WeakMap<PartitionReader, BackOff>();
  #answers = 0;
  /** The error of the last poll, until `check` has thrown it. */
  #error: { readonly error: unknown } | undefined;
  /** An error from outside of the fetcher, until `check` has thrown it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    connection: Connection,
    options: FetcherOptions,
    readers: readonly PartitionReader[],
    onPolled: () => void,
  ) {
    this.#onPolled = onPolled;
    this.#connection = connection;
    this.#backOff = new BackOff(connection);
    this.#options = options;
    this.#readers = readers;
  }

  /**
   * Resolves at the next arrival. To be read before a look at the buffers: an arrival in between
   * would be missed.
   */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** The number of answered polls. An arrival may have other causes. */
  get answers(): number {
    return this.#answers;
  }

  /** Makes `check` throw this error, once. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  /** Throws the error that keeps the consumer from fetching, once. */
  check(): void {
    const failed = this.#failure ?? this.#error;
    if (this.#failure === undefined) this.#error = undefined;
    this.#failure = undefined;
    if (failed !== undefined) throw failed.error;
  }

  start(): void {
    this.#isActive = true;
    this.#error = undefined;
    this.pump();
  }

  /** Stops polling. The buffers stay. */
  stop(): void {
    this.#isActive = false;
    this.interrupt();
  }

  /** Cancels the waiting poll, and drops the session. */
  interrupt(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#end(session);
    const { clientId } = this.#connection;
    // A failed cancellation is harmless: the poll ends after `maxWaitMs`.
    this.#connection.call('cancelFetch', { clientId, fetchId: session.id }).catch(() => {});
  }

  /** Settles `arrival`. */
  wake(): void {
    this.#arrival.resolve();
    this.#arrival = deferred();
  }

  /** Polls for the partitions that have room. */
  pump(): void {
    // At most two polls are in flight: the waiting poll, and the next one, which makes the broker
    // answer the first at once. While polls fail, one is enough to notice that they work again.
    const maxPolls = this.#backOff.isFailing ? 1 : 2;
    if (!this.#isActive || this.#error !== undefined || this.#polls.size >= maxPolls) return;
    const { prefetchBytes } = this.#options;
    const fetchOffsets = this.#session?.fetchOffsets;
    const wanted = this.#readers.filter((reader) => this.#isWanted(reader));
    const changed = wanted.filter((reader) => fetchOffsets?.get(reader) !== reader.fetchOffset);
    if (wanted.length === 0 || (changed.length === 0 && this.#polls.size > 0)) return;
    const buffered = this.#readers.reduce((bytes, reader) => bytes + reader.bufferedBytes, 0);
    const reserved = [...this.#polls.values()].reduce((bytes, poll) => bytes + poll, 0);
    const room = prefetchBytes - buffered - reserved;
    // A partition that is paused, or whose serde waits, may keep its buffer for ever. Such a buffer
    // takes room, and gives a loop nothing to do.
    const hasBuffered = this.#readers.some(
      ({ isReadable, isWaiting, bufferedBytes }) => isReadable && !isWaiting && bufferedBytes > 0,
    );
    // With nothing buffered to read, one batch is fetched however small the room is.
    if (room <= 0 && (hasBuffered || reserved > 0)) {
      // The bytes that are reserved for idle partitions have not arrived: share the budget anew.
      if (buffered < prefetchBytes) this.interrupt();
      return;
    }
    // The other half of the room is for the next poll, which follows while this poll waits.
    void this.#poll(wanted, changed, Math.max(Math.ceil(room / 2), 1));
  }

  #isWanted(reader: PartitionReader): boolean {
    const { isReadable, failed, bufferedBytes } = reader;
    return isReadable && !failed && bufferedBytes < this.#options.maxPartitionBytes;
  }

  async #poll(
    wanted: readonly PartitionReader[],
    changed: readonly PartitionReader[],
    maxBytes: number,
  ): Promise<void> {
    const fetchId = ++lastFetchId;
    const session = (this.#session ??= new FetchSession(fetchId));
    this.#polls.set(fetchId, maxBytes);
    const request = this.#request(session, wanted, changed);
    const { maxWaitMs } = request;
    try {
      const fetched = await this.#connection.call(
        'fetch',
        { ...request, fetchId, maxBytes },
        maxWaitMs,
      );
      const loading = fetched.flatMap((part) => this.#accept(session, part) ?? []);
      if (loading.length > 0) {
        // A codec that loads slowly delays the partitions that need it, and no others.
        this.wake();
        this.pump();
        await Promise.all(loading);
      }
      this.#backOff.succeeded();
      this.#answers++;
    } catch (cause) {
      this.#end(session);
      const error = toTablogError(cause);
      // Another worker serves the tab now, and has no session: the next poll sends the whole list.
      const isLost = error.code === 'FETCH_SESSION_ID_NOT_FOUND';
      // The lack of a worker or of the storage passes, and reading outlasts it, however long it
      // takes.
      if (!isLost && isAway(error)) await this.#backOff.failed();
      else if (!isLost) this.#error = { error };
    }
    this.#polls.delete(fetchId);
    this.#onPolled();
    this.wake();
    this.pump();
  }

  /** The next request of the session: the partitions that join its list, and those that leave. */
  #request(
    session: FetchSession,
    wanted: readonly PartitionReader[],
    changed: readonly PartitionReader[],
  ): Omit<Request<'fetch'>, 'fetchId' | 'maxBytes'> {
    const { maxWaitMs, maxPartitionBytes: maxBytes } = this.#options;
    const { fetchOffsets, id } = session;
    for (const reader of changed) fetchOffsets.set(reader, reader.fetchOffset);
    const kept = new Set(fetchOffsets.size > wanted.length ? wanted : fetchOffsets.keys());
    const forgotten = [...fetchOffsets.keys()].filter((reader) => !kept.has(reader));
    for (const reader of forgotten) fetchOffsets.delete(reader);
    return {
      clientId: this.#connection.clientId,
      maxWaitMs: Math.max(maxWaitMs, 1), // 0 would make a busy loop
      session: { id, epoch: session.nextEpoch(), forget: forgotten.map(nameOf) },
      partitions: changed.map((reader) => ({
        ...nameOf(reader),
        offset: reader.fetchOffset,
        maxBytes,
      })),
    };
  }

  /** Passes a fetched part to its reader; resolves once the codec that the part needs is loaded. */
  #accept(session: FetchSession, part: FetchedPartition): Promise<void> | undefined {
    const { topicId, partition, offset } = part;
    const reader = this.#readers.find(
      (each) => each.topicId === topicId && each.partition === partition,
    );
    if (reader === undefined) return undefined;
    if ('error' in part && isAway(fromErrorData(part.error))) {
      void this.#fetchLater(session, reader, offset);
      return undefined;
    }
    this.#backOffs.delete(reader);
    const accept = (inflate?: Inflate): void => {
      this.#answered(session, reader, offset);
      if (reader.fetchOffset !== offset) return; // a seek has moved the reader meanwhile
      reader.accept(part, inflate);
      if (!('error' in part)) return;
      const error = fromErrorData(part.error);
      this.#connection.observer?.readFailed(reader.topic.name, partition, offset, error);
    };
    if (!('error' in part) && part.compressed) {
      return this.#inflate(reader, part.segments).then((inflate) => {
        if (inflate === undefined) this.#answered(session, reader, offset);
        else accept(inflate);
      });
    }
    accept();
    return undefined;
  }

  /**
   * Fetches a partition whose storage failed after a back-off of its own; the other partitions go
   * on.
   */
  async #fetchLater(session: FetchSession, reader: PartitionReader, offset: number): Promise<void> {
    const backOff = this.#backOffs.get(reader) ?? new BackOff(this.#connection);
    this.#backOffs.set(reader, backOff);
    await backOff.failed();
    this.#answered(session, reader, offset);
    this.pump();
  }

  /**
   * Removes an answered partition from the session, unless a seek has asked for another offset
   * meanwhile.
   */
  #answered({ fetchOffsets }: FetchSession, reader: PartitionReader, offset: number): void {
    if (fetchOffsets.get(reader) === offset) fetchOffsets.delete(reader);
  }

  /** The function that inflates the segments. Where its codec cannot be loaded, `check` throws. */
  async #inflate(
    reader: PartitionReader,
    segments: readonly ArrayBuffer[],
  ): Promise<Inflate | undefined> {
    try {
      return await loadInflate(this.#connection.clock, reader, segments);
    } catch (error) {
      this.#error = { error: toTablogError(error) }; // thrown once by check()
      return undefined;
    }
  }

  /** Drops the session: the next session starts with every partition. */
  #end(session: FetchSession): void {
    session.fetchOffsets.clear();
    if (this.#session === session) this.#session = undefined;
  }
}

function nameOf({ topicId, partition }: PartitionReader): {
  readonly topicId: string;
  readonly partition: number;
} {
  return { topicId, partition };
}
