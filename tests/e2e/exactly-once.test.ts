import { describe, expect, it } from 'vitest';
import { Random } from '../checker/random.ts';
import { HOSTS, until, useTabs } from './group-tabs.ts';
import type { Tab, Tabs } from './group-tabs.ts';
import { lengthOf, oneSeed } from '../support/seeds.ts';

const PARTITIONS = 4;
const RECORDS = lengthOf(2_000, 10_000);
/** The records come in as many bursts, and something goes wrong within each. */
const BURSTS = lengthOf(10, 50);
/** Within so many transactions of a burst something goes wrong: most often not all are done. */
const MOMENTS = 8;
const MAX_MEMBERS = 4;

const seed = oneSeed();

/** What may stop a member when workers die and partitions move. */
const EXPECTED = /^(FENCED|OUTCOME_UNKNOWN|WORKER_LOST|WORKER_FAILED|STORAGE_\w+)$/;

/** Members of a group copy 'in' to 'out', while tabs and workers go. */
class Chain {
  readonly #tabs: Tabs;
  readonly #random: Random;
  readonly #isShared: boolean;
  #members: Tab[] = [];
  #names = 0;
  /** How many transactions tabs have told of. */
  #copied = 0;
  #heard = (): void => {};
  readonly #acts: readonly (readonly [weight: number, act: () => Promise<unknown>])[] = [
    [4, () => this.#open()],
    [4, () => this.#take().crash()],
    [2, () => this.#take().close()],
    [3, () => this.#reload()],
    [4, () => this.#killWorker()],
  ];

  constructor(tabs: Tabs, random: Random, isShared: boolean) {
    this.#tabs = tabs;
    this.#random = random;
    this.#isShared = isShared;
  }

  async begin(): Promise<void> {
    const { context, keeper } = this.#tabs;
    await context.exposeBinding('copied', () => {
      this.#copied++;
      this.#heard();
    });
    const { page } = keeper;
    await page.evaluate(() => window.api.exactlyOnce.createTopics(window.api.mustGetLog()));
    for (let i = 0; i < 3; i++) await this.#open();
  }

  /** Sends more; and somewhere amid what is to be done for it something happens. */
  async burst(first: number, count: number): Promise<void> {
    const { page } = this.#tabs.keeper;
    const moment = this.#copiedTimes(this.#random.int(0, MOMENTS));
    await page.evaluate(
      ([first, count]) => window.api.exactlyOnce.send(window.api.mustGetLog(), first, count),
      [first, count] as const,
    );
    await Promise.race([moment, this.#caughtUp(first + count)]);
    let at = this.#random.next() * this.#acts.reduce((sum, [weight]) => sum + weight, 0);
    await this.#acts.find(([weight]) => (at -= weight) < 0)![1]();
    if (this.#members.length === 0) await this.#open();
  }

  /** Waits until all is copied; of each partition of 'out', the records. */
  async end(): Promise<string[][]> {
    await this.#caughtUp(RECORDS / PARTITIONS);
    const read = await this.#tabs.keeper.page.evaluate(async () => {
      const [{ partitions }] = await window.api.mustGetLog().admin.describeTopics(['out']);
      const count = partitions.reduce((sum, { endOffset }) => sum + endOffset, 0);
      const out = window.api.topic('out', { value: window.api.string() });
      return window.api.readAll(out, count);
    });
    return Array.from({ length: PARTITIONS }, (_, partition) =>
      read.filter((record) => record.partition === partition).map(({ value }) => String(value)),
    );
  }

  /** Resolves when so many transactions more have been stored. */
  #copiedTimes(times: number): Promise<void> {
    const due = this.#copied + times;
    return new Promise((resolve) => {
      this.#heard = () => {
        if (this.#copied >= due) resolve();
      };
      this.#heard();
    });
  }

  /** Resolves when so many records of each partition are copied, and no more. */
  async #caughtUp(end: number): Promise<void> {
    await until(async () => {
      const committed = await this.#tabs.keeper.page.evaluate(() =>
        window.api.mustGetLog().admin.listGroupOffsets('copiers'),
      );
      const ends = Array.from({ length: PARTITIONS }, () => end);
      expect(committed.map(({ offset }) => offset)).toEqual(ends);
    });
  }

  async #open(): Promise<void> {
    if (this.#members.length >= MAX_MEMBERS) return;
    const tab = await this.#tabs.open(`m${++this.#names}`);
    this.#members.push(tab);
    await this.#start(tab);
  }

  async #reload(): Promise<void> {
    const tab = this.#random.pick(this.#members);
    await tab.reload();
    await this.#start(tab);
  }

  async #start({ page, member }: Tab): Promise<void> {
    await page.evaluate((name) => {
      void window.api.exactlyOnce.copy(window.api.mustGetLog(), name);
    }, member);
  }

  async #killWorker(): Promise<void> {
    if (this.#isShared) await this.#tabs.killSharedWorker();
    else await this.#random.pick(this.#members).page.evaluate('newestWorker.terminate()');
  }

  /** One that is a member no longer. */
  #take(): Tab {
    const taken = this.#random.pick(this.#members);
    this.#members = this.#members.filter((tab) => tab !== taken);
    return taken;
  }
}

describe.each(HOSTS)('a chain of two topics with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it(
    `has each of ${RECORDS} records once, in order, whatever is killed (TABLOG_SEED=${seed})`,
    { timeout: 180_000 },
    async () => {
      console.log(`TABLOG_SEED=${seed}`);
      const { tabs } = used;
      if (deleteSharedWorker) await tabs.context.addInitScript(rememberWorkers);
      const chain = new Chain(tabs, new Random(seed), !deleteSharedWorker);
      await chain.begin();
      const count = RECORDS / PARTITIONS / BURSTS;
      for (let burst = 0; burst < BURSTS; burst++) await chain.burst(burst * count, count);
      const copies = await chain.end();
      for (const [partition, values] of copies.entries()) {
        const due = Array.from(
          { length: RECORDS / PARTITIONS },
          (_, i) => `copy of ${partition}/${i}`,
        );
        expect(values).toEqual(due);
      }
      for (const event of tabs.told) {
        if (event.kind === 'stopped') expect(event.code).toMatch(EXPECTED);
      }
    },
  );
});

/** Workers are the page's own: nobody else can terminate them. */
function rememberWorkers(): void {
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      Object.assign(globalThis, { newestWorker: this });
    }
  };
}
