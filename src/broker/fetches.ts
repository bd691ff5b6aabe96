import type { Clock } from '../platform/clock.ts';
import type { FetchPartition, FetchRequest, FetchedPartition } from '../protocol/fetch.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { FetchLimits } from './partitions/partition-host.ts';

/** Fetches partitions, and waits for records within the limits. */
type FetchPartitions = (
  wanted: readonly FetchPartition[],
  limits: FetchLimits,
) => Promise<FetchedPartition[]>;

/** The fetches under way, with or without a session: each lasts until its answer or its cancel. */
export class Fetches {
  readonly #clock: Clock;
  readonly #fetch: FetchPartitions;
  readonly #waiting = new Map<string, AbortController>();
  readonly #sessions = new FetchSessions();

  constructor(clock: Clock, fetch: FetchPartitions) {
    this.#clock = clock;
    this.#fetch = fetch;
  }

  /** The number of fetches without an answer yet. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Throws `FETCH_SESSION_ID_NOT_FOUND`. */
  async fetch(request: FetchRequest): Promise<FetchedPartition[]> {
    const { session, partitions, maxWaitMs, maxBytes = Infinity } = request;
    const key = `${request.clientId}/${request.fetchId}`;
    const abort = new AbortController();
    const limits = { expires: this.#clock.now() + maxWaitMs, maxBytes, signal: abort.signal };
    this.#waiting.set(key, abort);
    try {
      if (session === undefined) return await this.#fetch(partitions, limits);
      return await this.#sessions.fetch(request, abort, (wanted) => this.#fetch(wanted, limits));
    } finally {
      this.#waiting.delete(key);
    }
  }

  /** Ends the wait of a fetch, and the session that began with this fetch. */
  cancel(clientId: string, fetchId: number): void {
    this.#waiting.get(`${clientId}/${fetchId}`)?.abort();
    this.#sessions.end(clientId, fetchId);
  }

  /** Drops the sessions and the fetches of a client that has died. */
  forget(clientId: string): void {
    this.#sessions.forget(clientId);
    for (const [key, abort] of this.#waiting) {
      if (key.startsWith(`${clientId}/`)) abort.abort();
    }
  }

  /** Ends every wait. */
  close(): void {
    for (const abort of this.#waiting.values()) abort.abort();
  }
}
