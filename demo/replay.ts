import type { Producer } from '../src/index.ts';
import { githubEvents } from './demo-log.ts';
import type { GithubRecord } from './github-records.ts';
import { sleep } from './sleep.ts';

const TICK_MS = 50;
/**
 * The most records in one call, and calls under way: a rate beyond what can be stored is not met.
 */
const MOST_RECORDS = 32;
const MOST_CALLS = 8;
/** The records between two looks at the log's size, some 10 MB: a look costs a round trip. */
const LOOK_EVERY_RECORDS = 1000;
const ROOM_RETRY_MS = 500;

/** Sends records round and round, until it is stopped. */
export class Replay {
  /** Records a second. */
  perSecond: number;
  readonly #producer: Producer;
  readonly #records: readonly GithubRecord[];
  readonly #hasRoom: () => Promise<boolean>;
  #next = 0;
  #unlooked = Infinity;

  /** `hasRoom` tells whether more records may be stored; it is called now and then. */
  constructor(
    producer: Producer,
    records: readonly GithubRecord[],
    perSecond: number,
    hasRoom: () => Promise<boolean>,
  ) {
    this.#producer = producer;
    this.#records = records;
    this.perSecond = perSecond;
    this.#hasRoom = hasRoom;
  }

  /** Ends when `signal` aborts and what was sent is stored; throws what `sendBatch` throws. */
  async run(signal: AbortSignal): Promise<void> {
    const pending = new Set<Promise<void>>();
    const failure = new AbortController();
    const stop = AbortSignal.any([signal, failure.signal]);
    let owed = 0;
    let tickedAt = performance.now();
    this.#unlooked = Infinity;
    while (!stop.aborted) {
      await this.#waitForRoom(stop);
      const now = performance.now();
      // What a sleeping tab has missed is not made up for: at most a second's worth is owed.
      owed = Math.min(owed + ((now - tickedAt) * this.perSecond) / 1000, this.perSecond);
      tickedAt = now;
      while (owed >= 1 && pending.size < MOST_CALLS && !stop.aborted) {
        const count = Math.min(Math.floor(owed), MOST_RECORDS);
        owed -= count;
        const sent = this.#send(count)
          .catch((error: unknown) => failure.abort(error))
          .finally(() => pending.delete(sent));
        pending.add(sent);
      }
      if (pending.size >= MOST_CALLS) await Promise.race(pending);
      else await sleep(TICK_MS);
    }
    await Promise.all(pending);
    failure.signal.throwIfAborted();
  }

  async #waitForRoom(stop: AbortSignal): Promise<void> {
    if (this.#unlooked < LOOK_EVERY_RECORDS) return;
    while (!stop.aborted && !(await this.#hasRoom())) await sleep(ROOM_RETRY_MS);
    this.#unlooked = 0;
  }

  async #send(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => this.#take());
    this.#unlooked += count;
    await this.#producer.sendBatch(githubEvents, records);
  }

  #take(): GithubRecord {
    const record = this.#records[this.#next]!;
    this.#next = (this.#next + 1) % this.#records.length;
    return record;
  }
}
