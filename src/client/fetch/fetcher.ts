import { deferred } from '../../base/deferred.ts';
import { isAway, toTablogError } from '../../base/error.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import type { Request } from '../../protocol/broker.ts';
import { BackOff } from '../../platform/retry.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import type { RecordCodec } from '../../record/compression/codec.ts';
import { lazyCodecs } from './lazy-codecs.ts';
import type { Connection } from '../connection/connection.ts';
import { lazyGzip } from './lazy-gzip.ts';
import { FetchSession } from './fetch-session.ts';
import type { Inflate, PartitionReader } from './partition-reader.ts';

export interface FetcherOptions {
  readonly prefetchBytes: number;
  readonly maxPartitionBytes: number;
  readonly maxWaitMs: number;
}

/** Unique within one client. */
let lastFetchId = 0;

/**
 * Keeps the readers supplied, within a budget of bytes. The broker keeps a list of all partitions
 * that have room, and one long poll waits for any of them. A partition that is new, or was answered
 * and has room again, joins the list with the next poll, and the poll before is answered at once.
 * So a busy partition never waits for an idle one, nor the reverse, and an idle one is named once.
 */
export class Fetcher {
  readonly #connection: Connection;
  readonly #options: FetcherOptions;
  readonly #readers: readonly PartitionReader[];
  readonly #onPolled: () => void;
  #session: FetchSession | undefined;
  /** Polls under way, with the bytes that each may bring. */
  readonly #polls = new Map<number, number>();
  #arrival = deferred();
  #active = false;
  /** Of polls that failed as a whole. */
  readonly #backOff: BackOff;
  /** Of partitions whose share of an answer failed. */
  readonly #backOffs = new WeakMap<PartitionReader, BackOff>();
  #answers = 0;
  /** The error of the last poll, until `check` has thrown it. */
  #error: { readonly error: unknown } | undefined;
  /** Another error for whoever reads, until `check` has thrown it. */
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
   * Resolves at the next arrival. Read it before a look at the buffers: an arrival in between would
   * be missed.
   */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** The number of polls that were answered. An arrival may have other causes. */
  get answers(): number {
    return this.#answers;
  }

  /** Has `check` throw this error, once. */
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
    this.#active = true;
    this.#error = undefined;
    this.pump();
  }

  /** Stops polling; the buffers stay. */
  stop(): void {
    this.#active = false;
    this.interrupt();
  }

  /** Cancels the poll that waits, and drops the session. */
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
    // At most two polls: one that waits, and the next, which has the first one answered at once.
    // While polls fail, one is enough to learn that they work again.
    const most = this.#backOff.isFailing ? 1 : 2;
    if (!this.#active || this.#error !== undefined || this.#polls.size >= most) return;
    const { prefetchBytes } = this.#options;
    const asked = this.#session?.asked;
    const wanted = this.#readers.filter((reader) => this.#isWanted(reader));
    const changed = wanted.filter((reader) => asked?.get(reader) !== reader.fetchOffset);
    if (wanted.length === 0 || (changed.length === 0 && this.#polls.size > 0)) return;
    const buffered = this.#readers.reduce((bytes, reader) => bytes + reader.bufferedBytes, 0);
    const reserved = [...this.#polls.values()].reduce((bytes, poll) => bytes + poll, 0);
    const room = prefetchBytes - buffered - reserved;
    // A partition that is paused, or whose serde waits, may keep its buffer for ever: the buffer
    // takes room, and keeps no loop busy.
    const atHand = this.#readers.some(
      ({ isReadable, isWaiting, bufferedBytes }) => isReadable && !isWaiting && bufferedBytes > 0,
    );
    // With nothing at hand, one batch is asked for however small the room is.
    if (room <= 0 && (atHand || reserved > 0)) {
      // What idle partitions may bring is not there yet: share the budget anew.
      if (buffered < prefetchBytes) this.interrupt();
      return;
    }
    // The other half of the room is for the poll that follows while this one waits.
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
        // A codec that is slow to load holds up the partitions that need it, and no others.
        this.wake();
        this.pump();
        await Promise.all(loading);
      }
      this.#backOff.succeeded();
      this.#answers++;
    } catch (cause) {
      this.#end(session);
      const error = toTablogError(cause);
      // Another worker serves the tab now, and needs the whole list.
      const isLost = error.code === 'FETCH_SESSION_ID_NOT_FOUND';
      // Reading outlives what passes, the lack of a worker or of the storage, however long it
      // lasts.
      if (!isLost && isAway(error)) await this.#backOff.failed();
      else if (!isLost) this.#error = { error };
    }
    this.#polls.delete(fetchId);
    this.#onPolled();
    this.wake();
    this.pump();
  }

  /** The next fetch of the session: the partitions that join its list, and those that leave it. */
  #request(
    session: FetchSession,
    wanted: readonly PartitionReader[],
    changed: readonly PartitionReader[],
  ): Omit<Request<'fetch'>, 'fetchId' | 'maxBytes'> {
    const { maxWaitMs, maxPartitionBytes: maxBytes } = this.#options;
    const { asked, id } = session;
    for (const reader of changed) asked.set(reader, reader.fetchOffset);
    const kept = new Set(asked.size > wanted.length ? wanted : asked.keys());
    const forgotten = [...asked.keys()].filter((reader) => !kept.has(reader));
    for (const reader of forgotten) asked.delete(reader);
    return {
      clientId: this.#connection.clientId,
      maxWaitMs: Math.max(maxWaitMs, 1), // a loop must pause
      session: { id, epoch: session.nextEpoch(), forget: forgotten.map(nameOf) },
      partitions: changed.map((reader) => ({
        ...nameOf(reader),
        offset: reader.fetchOffset,
        maxBytes,
      })),
    };
  }

  /**
   * Hands a reader what was fetched for it; resolves once that is done, where a codec has to come
   * first.
   */
  #accept(session: FetchSession, part: FetchedPartition): Promise<void> | undefined {
    const { topicId, partition, offset } = part;
    const reader = this.#readers.find(
      (each) => each.topicId === topicId && each.partition === partition,
    );
    if (reader === undefined) return undefined;
    if ('error' in part && isAway(fromErrorData(part.error))) {
      void this.#askLater(session, reader, offset);
      return undefined;
    }
    this.#backOffs.delete(reader);
    const accept = (inflate?: Inflate): void => {
      this.#answered(session, reader, offset);
      if (reader.fetchOffset === offset) reader.accept(part, inflate); // else it has sought
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

  /** Asks for a partition whose storage failed after a back-off of its own; the others go on. */
  async #askLater(session: FetchSession, reader: PartitionReader, offset: number): Promise<void> {
    const backOff = this.#backOffs.get(reader) ?? new BackOff(this.#connection);
    this.#backOffs.set(reader, backOff);
    await backOff.failed();
    this.#answered(session, reader, offset);
    this.pump();
  }

  /**
   * An answered partition has left the session, unless a seek asked for another offset meanwhile.
   */
  #answered({ asked }: FetchSession, reader: PartitionReader, offset: number): void {
    if (asked.get(reader) === offset) asked.delete(reader);
  }

  /**
   * What inflates the segments; `undefined` where it cannot be loaded, and whoever reads is told.
   */
  async #inflate(
    reader: PartitionReader,
    segments: readonly ArrayBuffer[],
  ): Promise<Inflate | undefined> {
    try {
      return await loadInflate(reader, segments);
    } catch (error) {
      this.#error = { error: toTablogError(error) }; // thrown once; then fetching goes on
      return undefined;
    }
  }

  /** Drops the session: the readers have to be asked for again. */
  #end(session: FetchSession): void {
    session.asked.clear();
    if (this.#session === session) this.#session = undefined;
  }
}

function nameOf({ topicId, partition }: PartitionReader): {
  readonly topicId: string;
  readonly partition: number;
} {
  return { topicId, partition };
}

/** Loads the code of every codec that the segments need. */
async function loadInflate(
  reader: PartitionReader,
  segments: readonly ArrayBuffer[],
): Promise<Inflate> {
  const { inflate, loadCodecsFor } = await lazyCodecs.load();
  const where = { topic: reader.topic.name, partition: reader.partition };
  const gzip = async (): Promise<RecordCodec> => (await lazyGzip.load()).gzip;
  for (const segment of segments) {
    await loadCodecsFor(new Uint8Array(segment), where, { gzip });
  }
  return inflate;
}
