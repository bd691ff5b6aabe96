import type { Locks } from '../../platform/platform.ts';
import type { SqliteProcesses } from './sqlite-processes.ts';

type Granted = (lock: Lock | null) => unknown;

/** A request of this process that is held or waits. */
interface LockRequest {
  /** Its row; another one after the process was taken for dead. */
  id: number;
  readonly name: string;
  readonly mode: LockMode;
  /** Settles the wait for the lock. */
  readonly granted: Settlement;
  /** Rejects when the lock was taken away. */
  readonly lost: Settlement;
}

interface Settlement {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** The locks of the name that a request waits for: those held, and those requested before it. */
const CONFLICT = `SELECT 1 FROM tablog_lock WHERE name = ? AND request <> ?
  AND (held = 1 OR request < ?) AND (mode = 'exclusive' OR ? = 'exclusive') LIMIT 1`;
const NEWEST = Number.MAX_SAFE_INTEGER;

/**
 * Locks that all processes of a database share, as `navigator.locks` has them:
 * https://w3c.github.io/web-locks/. A request is a row, which is deleted with its process.
 */
export class SqliteLocks implements Locks {
  readonly #processes: SqliteProcesses;
  readonly #waiting = new Set<LockRequest>();
  readonly #held = new Set<LockRequest>();

  constructor(processes: SqliteProcesses) {
    this.#processes = processes;
    processes.listen({
      onChange: () => this.#lookAgain(),
      onRejoined: () => this.#requestAgain(),
    });
  }

  async request<T>(name: string, ...rest: [Granted] | [LockOptions, Granted]): Promise<T> {
    const granted = rest.at(-1) as Granted;
    const options = rest.length === 1 ? {} : rest[0];
    options.signal?.throwIfAborted();
    await this.#processes.join();
    try {
      return (await this.#request(name, options, granted)) as T;
    } finally {
      this.#processes.leave();
    }
  }

  query(): Promise<LockManagerSnapshot> {
    return this.#processes.write(() => {
      const rows = this.#processes.driver.all('SELECT * FROM tablog_lock');
      const infos = (held: number): LockInfo[] =>
        rows
          .filter((row) => row['held'] === held)
          .map(({ name, mode, request }) => ({
            name: name as string,
            mode: mode as LockMode,
            clientId: String(request),
          }));
      return { held: infos(1), pending: infos(0) };
    });
  }

  async #request(name: string, options: LockOptions, granted: Granted): Promise<unknown> {
    const { mode = 'exclusive', ifAvailable = false, steal = false, signal } = options;
    const { driver } = this.#processes;
    const found = await this.#processes.write(() => {
      if (steal) driver.run('DELETE FROM tablog_lock WHERE name = ? AND held = 1', name);
      const isFree = steal || driver.all(CONFLICT, name, NEWEST, NEWEST, mode).length === 0;
      return isFree || !ifAvailable ? { id: this.#insert(name, mode, isFree), isFree } : undefined;
    });
    if (found === undefined) return granted(null);
    const request: LockRequest = {
      id: found.id,
      name,
      mode,
      granted: settlement(),
      lost: settlement(),
    };
    request.lost.promise.catch(() => {}); // nobody looks at it before the lock is granted
    // A lock that was stolen from another request of this process is lost at once.
    if (steal) this.#lookAgain();
    try {
      if (found.isFree) this.#held.add(request);
      else await this.#granted(request, signal);
      const holding = Promise.resolve(granted({ name, mode }));
      return await Promise.race([holding, request.lost.promise]);
    } finally {
      await this.#release(request);
    }
  }

  async #granted(request: LockRequest, signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => request.granted.reject(signal!.reason);
    signal?.addEventListener('abort', abort);
    this.#waiting.add(request);
    try {
      if (signal?.aborted) abort();
      await request.granted.promise;
    } finally {
      this.#waiting.delete(request);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #release(request: LockRequest): Promise<void> {
    this.#held.delete(request);
    const { driver } = this.#processes;
    const remove = (): void => driver.run('DELETE FROM tablog_lock WHERE request = ?', request.id);
    // Where the database is closed, the row ends with the process.
    await this.#processes.write(remove).catch(() => {});
    this.#lookAgain();
  }

  /** Grants what can be granted now, and finds what was taken away. */
  #lookAgain(): void {
    for (const request of this.#waiting) {
      void this.#grant(request).catch(() => {}); // the next look tries again
    }
    if (this.#held.size === 0) return;
    const ids = new Set(
      this.#processes.driver
        .all('SELECT request FROM tablog_lock WHERE held = 1')
        .map((row) => row['request']),
    );
    for (const request of this.#held) if (!ids.has(request.id)) this.#lose(request);
  }

  async #grant(request: LockRequest): Promise<void> {
    const { driver } = this.#processes;
    const { id, name, mode } = request;
    const isFree = (): boolean => driver.all(CONFLICT, name, id, id, mode).length === 0;
    if (!isFree()) return;
    const isGranted = await this.#processes.write(() => {
      if (!isFree() || !this.#waiting.has(request) || request.id !== id) return false;
      driver.run('UPDATE tablog_lock SET held = 1 WHERE request = ?', id);
      return driver.all('SELECT 1 FROM tablog_lock WHERE request = ?', id).length > 0;
    });
    if (!isGranted || !this.#waiting.delete(request)) return;
    this.#held.add(request);
    request.granted.resolve();
  }

  /** The rows of a process that was taken for dead are gone. Those who wait go to the end. */
  #requestAgain(): void {
    for (const request of this.#held) this.#lose(request);
    for (const request of this.#waiting) {
      void this.#processes
        .write(() => {
          request.id = this.#insert(request.name, request.mode, false);
        })
        .then(() => this.#lookAgain())
        .catch((error: unknown) => request.granted.reject(error));
    }
  }

  #lose(request: LockRequest): void {
    this.#held.delete(request);
    request.lost.reject(new DOMException('The lock was taken away.', 'AbortError'));
  }

  #insert(name: string, mode: LockMode, isHeld: boolean): number {
    const { driver, id } = this.#processes;
    const sql = 'INSERT INTO tablog_lock (name, mode, process, held) VALUES (?, ?, ?, ?)';
    driver.run(sql, name, mode, id!, Number(isHeld));
    return driver.all('SELECT max(request) AS id FROM tablog_lock')[0]!['id'] as number;
  }
}

function settlement(): Settlement {
  let settle!: Omit<Settlement, 'promise'>;
  const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}
