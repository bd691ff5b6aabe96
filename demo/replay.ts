import type { Producer } from '../src/index.ts';
import { githubEvents } from './demo-log.ts';
import type { GithubRecord } from './github-records.ts';
import { sleep } from './sleep.ts';

const TICK_MS = 50;
/** Records in one call, and calls under way, when it goes as fast as it can. */
const FULL_SPEED_RECORDS = 32;
const FULL_SPEED_CALLS = 8;
const CHECK_EVERY_RECORDS = 1000;

/** Sends records round and round, until it is stopped. */
export class Replay {
  /** Records a second; `Infinity`: as fast as they are stored. */
  perSecond: number;
  stored = 0;
  readonly #producer: Producer;
  readonly #records: readonly GithubRecord[];
  readonly #check: () => Promise<void>;
  #next = 0;

  /** `check` is called once in a while: timers of hidden tabs are no measure of what was sent. */
  constructor(
    producer: Producer,
    records: readonly GithubRecord[],
    perSecond: number,
    check: () => Promise<void>,
  ) {
    this.#producer = producer;
    this.#records = records;
    this.perSecond = perSecond;
    this.#check = check;
  }

  /** Ends when `signal` aborts and what was sent is stored; throws what `sendBatch` throws. */
  async run(signal: AbortSignal): Promise<void> {
    const pending = new Set<Promise<void>>();
    const failure = new AbortController();
    let owed = 0;
    let tickedAt = performance.now();
    while (!signal.aborted && !failure.signal.aborted) {
      const now = performance.now();
      const full = this.perSecond === Infinity;
      // What a sleeping tab has missed is not made up for: at most a second's worth is owed.
      if (!full) owed = Math.min(owed + ((now - tickedAt) * this.perSecond) / 1000, this.perSecond);
      tickedAt = now;
      const count = full ? FULL_SPEED_RECORDS : Math.floor(owed);
      if (count > 0) {
        owed = full ? 0 : owed - count;
        const sent = this.#send(count)
          .catch((error: unknown) => failure.abort(error))
          .finally(() => pending.delete(sent));
        pending.add(sent);
      }
      if (pending.size >= FULL_SPEED_CALLS) await Promise.race(pending);
      await (full ? nextTask() : sleep(TICK_MS));
    }
    await Promise.all(pending);
    failure.signal.throwIfAborted();
  }

  async #send(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => this.#take());
    await this.#producer.sendBatch(githubEvents, records);
    const checks = Math.floor(this.stored / CHECK_EVERY_RECORDS);
    this.stored += count;
    if (Math.floor(this.stored / CHECK_EVERY_RECORDS) > checks) await this.#check();
  }

  #take(): GithubRecord {
    const record = this.#records[this.#next]!;
    this.#next = (this.#next + 1) % this.#records.length;
    return record;
  }
}

/** Lets the page draw and answer in between. A message, since hidden tabs get late timers. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
