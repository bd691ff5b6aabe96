import { toTablogError } from '../base/error.ts';
import { deferred } from '../base/deferred.ts';
import type { RecordCodec } from '../record/codec.ts';
import type { Connection } from './connection.ts';
import { loaded } from './loaded.ts';
import type { PartitionReader } from './partition-reader.ts';

export interface FetcherOptions {
  readonly prefetchBytes: number;
  readonly maxPartitionBytes: number;
  readonly maxWaitMs: number;
}

/** Told apart within one client. */
let lastFetchId = 0;

/**
 * Keeps the readers supplied, within a budget of bytes. Every partition that has room and is not
 * being fetched is asked for, in one long poll for all of them; those that come free while it waits
 * get one of their own, so that a busy partition never waits for an idle one, nor the reverse.
 */
export class Fetcher {
  readonly #connection: Connection;
  readonly #options: FetcherOptions;
  readonly #readers: readonly PartitionReader[];
  readonly #onPolled: () => void;
  /** Long polls under way that have not been called off. */
  readonly #polls = new Set<number>();
  #arrival = deferred();
  #reservedBytes = 0;
  #active = false;
  /** Why the last poll failed. */
  #error: { readonly error: unknown } | undefined;
  /** What else whoever reads is to be told. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    connection: Connection,
    options: FetcherOptions,
    readers: readonly PartitionReader[],
    onPolled: () => void,
  ) {
    this.#onPolled = onPolled;
    this.#connection = connection;
    this.#options = options;
    this.#readers = readers;
  }

  /**
   * Resolves at the next arrival. Ask for it before looking whether something is there: an arrival
   * in between would be missed.
   */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Has whoever reads get this error, once. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  /** Throws, once, why nothing can be fetched. */
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

  /** Stops asking; what has been fetched stays. */
  stop(): void {
    this.#active = false;
    this.interrupt();
  }

  /** Has the polls under way answered at once, so that what is wanted now can be asked for. */
  interrupt(): void {
    const { clientId } = this.#connection;
    for (const fetchId of this.#polls) {
      // Without it they end all the same, later.
      this.#connection.call('cancelFetch', { clientId, fetchId }).catch(() => {});
    }
    this.#polls.clear();
  }

  /** Wakes who waits for an arrival. */
  wake(): void {
    this.#arrival.resolve();
    this.#arrival = deferred();
  }

  /** Asks for what there is room for. */
  pump(): void {
    if (!this.#active || this.#error !== undefined) return;
    const { maxPartitionBytes, prefetchBytes } = this.#options;
    const buffered = this.#readers.reduce((bytes, reader) => bytes + reader.bufferedBytes, 0);
    const hungry = this.#readers.filter(
      (reader) =>
        !reader.paused &&
        !reader.stopped &&
        !reader.fetching &&
        !reader.failed &&
        reader.bufferedBytes < maxPartitionBytes,
    );
    if (hungry.length === 0) return;
    const room = prefetchBytes - buffered - this.#reservedBytes;
    // With nothing at hand at all, one is asked for however small the budget is.
    const starving = buffered + this.#reservedBytes === 0;
    if (room <= 0 && !starving) {
      // What idle partitions may bring is not there yet: share the budget anew.
      if (buffered < prefetchBytes) this.interrupt();
      return;
    }
    const share = Math.floor(Math.max(room, 1) / hungry.length);
    void this.#poll(hungry, Math.max(Math.min(share, maxPartitionBytes), 1));
  }

  async #poll(readers: readonly PartitionReader[], maxBytes: number): Promise<void> {
    const fetchId = ++lastFetchId;
    const epochs = readers.map((reader) => reader.epoch);
    const reserved = readers.length * maxBytes;
    this.#reservedBytes += reserved;
    this.#polls.add(fetchId);
    for (const reader of readers) reader.fetching = true;
    try {
      const maxWaitMs = Math.max(this.#options.maxWaitMs, 1); // never a loop without a pause
      const { clientId } = this.#connection;
      const partitions = readers.map(({ topicId, partition, fetchOffset }) => ({
        topicId,
        partition,
        offset: fetchOffset,
        maxBytes,
      }));
      const request = { clientId, fetchId, maxWaitMs, partitions };
      const fetched = await this.#connection.call('fetch', request, maxWaitMs);
      for (const part of fetched) {
        const at = readers.findIndex(
          (reader) => reader.topicId === part.topicId && reader.partition === part.partition,
        );
        const reader = readers[at];
        if (reader === undefined) continue;
        try {
          if ('segments' in part && part.compressed) await loadInflate(reader, part.segments);
        } catch (error) {
          this.#error = { error: toTablogError(error) }; // other partitions need no such code
          continue;
        }
        if (reader.epoch !== epochs[at]) continue; // it has sought meanwhile
        reader.accept(part);
      }
    } catch (error) {
      this.#error = { error: toTablogError(error) };
    }
    this.#polls.delete(fetchId);
    this.#reservedBytes -= reserved;
    for (const reader of readers) reader.fetching = false;
    this.#onPolled();
    this.wake();
    this.pump();
  }
}

/** Codecs are loaded by those who read batches of them, and by nobody else. */
async function loadInflate(
  reader: PartitionReader,
  segments: readonly ArrayBuffer[],
): Promise<void> {
  const { inflate, loadCodecsFor } = await loaded(import('../record/codecs.ts'));
  const where = { topic: reader.topic.name, partition: reader.partition };
  const gzip = async (): Promise<RecordCodec> => (await import('../record/gzip.ts')).gzip;
  for (const segment of segments) {
    await loadCodecsFor(new Uint8Array(segment), where, { gzip });
  }
  reader.inflate = inflate;
}
