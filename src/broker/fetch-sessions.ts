import { partitionKey } from '../base/topic-id-partition.ts';
import { FETCH_SESSION_ID_NOT_FOUND } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { FetchPartition, FetchRequest, FetchedPartition } from '../protocol/fetch.ts';

/** The partitions that a client waits for, kept across its fetches (KIP-227). */
interface Session {
  /** The epoch that the next fetch must have. */
  epoch: number;
  /** In the order in which they are read: an answered partition rejoins at the end (KIP-74). */
  readonly wanted: Map<string, FetchPartition>;
  /** Ends the wait of the session's latest fetch when the next fetch arrives. */
  abort: AbortController;
  /** Settles with the session's latest fetch; the next fetch runs after it. */
  last: Promise<unknown>;
}

type Fetch = (wanted: readonly FetchPartition[]) => Promise<FetchedPartition[]>;

/**
 * The fetch sessions of all clients (Kafka's `FetchSession`, KIP-227): a fetch names only the
 * partitions that it adds, moves or forgets.
 */
export class FetchSessions {
  readonly #sessions = new Map<string, Session>();

  /**
   * Applies the request's changes to its session, then runs `fetch` for the session's partitions
   * once the previous fetch has been answered. Throws `FETCH_SESSION_ID_NOT_FOUND`.
   */
  async fetch(
    request: FetchRequest,
    abort: AbortController,
    fetch: Fetch,
  ): Promise<FetchedPartition[]> {
    const session = this.#enter(request, abort);
    const run = session.last.then(() => fetch([...session.wanted.values()]));
    session.last = run.catch(() => {
      // After a failed fetch the client does not know which partitions the session still has.
      this.end(request.clientId, request.session!.id);
    });
    const found = await run;
    for (const part of found) {
      const key = partitionKey(part);
      // A seek during the fetch changes the wanted offset, and that offset stays wanted.
      if (session.wanted.get(key)?.offset === part.offset) session.wanted.delete(key);
    }
    return found;
  }

  end(clientId: string, id: number): void {
    const key = `${clientId}/${id}`;
    this.#sessions.get(key)?.abort.abort();
    this.#sessions.delete(key);
  }

  /** Drops the sessions of a client that is gone. */
  forget(clientId: string): void {
    for (const key of this.#sessions.keys()) {
      if (key.startsWith(`${clientId}/`)) this.#sessions.delete(key);
    }
  }

  #enter({ clientId, session: asked, partitions }: FetchRequest, abort: AbortController): Session {
    const { id, epoch, forget } = asked!;
    const key = `${clientId}/${id}`;
    if (epoch === 0) {
      const made = { epoch, wanted: new Map(), abort, last: Promise.resolve() };
      this.#sessions.set(key, made);
    }
    const session = this.#sessions.get(key);
    if (session?.epoch !== epoch) throw notFound(id, epoch);
    session.epoch++;
    for (const name of forget) session.wanted.delete(partitionKey(name));
    for (const partition of partitions) session.wanted.set(partitionKey(partition), partition);
    if (session.abort !== abort) session.abort.abort();
    session.abort = abort;
    return session;
  }
}

function notFound(id: number, epoch: number): TablogError {
  const happened = `the worker does not have the fetch session ${id} at its fetch ${epoch}`;
  return new TablogError(FETCH_SESSION_ID_NOT_FOUND, happened);
}
