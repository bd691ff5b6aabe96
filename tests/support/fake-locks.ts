import type { Locks } from '../../src/platform/platform.ts';

interface Request {
  readonly name: string;
  readonly mode: LockMode;
  readonly grant: (lock: Lock | null) => void;
  /** Takes the lock away after it was granted. */
  readonly lose: (reason: DOMException) => void;
}

/** A lock manager for one process, with the semantics of Web Locks. `take` steals. */
export class FakeLocks implements Locks {
  readonly #held = new Set<Request>();
  #queue: Request[] = [];
  /** The names of all requested locks, in order. */
  readonly asked: string[] = [];

  request = ((
    name: string,
    ...rest: [LockOptions | LockGrantedCallback<unknown>, ...unknown[]]
  ) => {
    const given = typeof rest[0] === 'function' ? {} : rest[0];
    const granted = (typeof rest[0] === 'function' ? rest[0] : rest[1]) as (
      lock: Lock | null,
    ) => unknown;
    this.asked.push(name);
    return this.#ask(name, given, granted);
  }) as Locks['request'];

  async query(): Promise<LockManagerSnapshot> {
    const held = [...this.#held].map(({ name, mode }) => ({ name, mode, clientId: 'this' }));
    return { held, pending: [] };
  }

  /**
   * Takes a held lock from its holder, as `steal` does, and as WebKit does to a page that goes into
   * the back/forward cache. `keep`: the thief keeps the lock.
   */
  take(name: string, keep = false): void {
    const request = [...this.#held].find((held) => held.name === name);
    if (request === undefined) throw new Error(`nobody holds ${name}`);
    this.#held.delete(request);
    if (keep) {
      const lose = (): void => {};
      this.#held.add({ name, mode: 'exclusive', grant: () => {}, lose });
    }
    request.lose(new DOMException('the lock was taken away', 'AbortError'));
    this.#serve();
  }

  get held(): readonly string[] {
    return [...this.#held].map(({ name }) => name);
  }

  async #ask(
    name: string,
    { mode = 'exclusive', ifAvailable = false, signal }: LockOptions,
    granted: (lock: Lock | null) => unknown,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    let request!: Request;
    let lose!: Request['lose'];
    const lost = new Promise<never>((_, reject) => (lose = reject));
    lost.catch(() => {}); // where the request ends before
    const lock = await new Promise<Lock | null>((grant, reject) => {
      request = { name, mode, grant, lose };
      if (ifAvailable && !this.#isFree(request)) return grant(null);
      this.#queue.push(request);
      signal?.addEventListener(
        'abort',
        () => {
          if (!this.#queue.includes(request)) return;
          this.#queue = this.#queue.filter((other) => other !== request);
          reject(signal.reason as Error);
        },
        { once: true },
      );
      this.#serve();
    });
    try {
      return await Promise.race([granted(lock), lost]);
    } finally {
      this.#held.delete(request);
      this.#serve();
    }
  }

  #serve(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const request of waiting) {
      if (!this.#isFree(request)) {
        this.#queue.push(request);
        continue;
      }
      this.#held.add(request);
      request.grant({ name: request.name, mode: request.mode });
    }
  }

  #isFree({ name, mode }: Request): boolean {
    const others = [...this.#held, ...this.#queue].filter((other) => other.name === name);
    return others.every((other) => mode === 'shared' && other.mode === 'shared');
  }
}
