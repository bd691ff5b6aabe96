import { describe, expect, it } from 'vitest';
import { checkHistory, explain } from '../checker/history.ts';
import { Random } from '../checker/random.ts';
import { HOSTS, until, useTabs } from './group-tabs.ts';
import type { Event, Tab, Tabs } from './group-tabs.ts';
import { lengthOf, oneSeed } from '../support/seeds.ts';

const STEPS = lengthOf(60, 200);
const MAX_MEMBERS = 5;
const MAX_PARTITIONS = 8;
/** So long that a busy machine removes nobody by mistake, which the checker would object to. */
const SESSION_TIMEOUT_MS = 3000;

const seed = oneSeed();

/** What can happen to the tabs of a group, at random. */
class Walk {
  readonly #tabs: Tabs;
  readonly #random: Random;
  readonly #isShared: boolean;
  readonly #joining: Promise<void>[] = [];
  #members: Tab[] = [];
  #suspended: Tab | undefined;
  readonly #stuck = new Set<Tab>();
  #hasKilled = false;
  #steps = 0;
  #names = 0;
  #partitions = 3;
  readonly #acts: readonly (readonly [weight: number, act: () => Promise<void>])[] = [
    [8, () => this.#join()],
    [3, () => this.#leave()],
    [3, () => this.#crash()],
    [3, () => this.#suspend()],
    [2, () => this.#resume()],
    [4, () => this.#getStuck()],
    [4, () => this.#goOn()],
    [1, () => this.#addPartition()],
    [2, () => this.#killWorker()],
    [40, () => this.#produce()],
  ];

  constructor(tabs: Tabs, random: Random, isShared: boolean) {
    this.#tabs = tabs;
    this.#random = random;
    this.#isShared = isShared;
  }

  async begin(): Promise<void> {
    await this.#tabs.createOrders(this.#partitions);
    await this.#join();
  }

  async step(): Promise<void> {
    this.#steps++;
    let at = this.#random.next() * this.#acts.reduce((sum, [weight]) => sum + weight, 0);
    await this.#acts.find(([weight]) => (at -= weight) < 0)![1]();
  }

  /** Nothing more happens: whoever is there reads what is left. */
  async end(): Promise<void> {
    await this.#resume();
    while (this.#stuck.size > 0) await this.#goOn();
    if (this.#members.length === 0) await this.#join();
    await Promise.all(this.#joining);
    await this.#tabs.drained();
    const { partitions } = await this.#tabs.describe();
    for (const { topic, partition, endOffset, committedOffset } of partitions) {
      this.#tell({ kind: 'ended', topic, partition, endOffset, committedOffset });
    }
    await this.#settled();
  }

  /** Waits for every promise but those that tabs took with them. */
  async #settled(): Promise<void> {
    await until(() => {
      const { told } = this.#tabs;
      const settled = new Set(told.map((event) => (event.kind === 'settled' ? event.call : null)));
      const dead = new Set(
        told.map((event) =>
          event.kind === 'fault' && event.what === 'crash' ? event.member : undefined,
        ),
      );
      const open = told.filter(
        (event) => event.kind === 'called' && !settled.has(event.call) && !dead.has(event.member),
      );
      expect(open).toEqual([]);
    });
  }

  async #join(): Promise<void> {
    if (this.#members.length >= MAX_MEMBERS) return;
    const tab = await this.#tabs.open(`m${++this.#names}`);
    this.#members.push(tab);
    const joined = tab.join({
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: 1000,
      commit: this.#random.pick(['processed', 'manual', { everyMs: 50 }]),
    });
    // It may be ready only when somebody who is suspended is removed; or leave, or crash, before.
    this.#joining.push(
      joined.catch((error: unknown) => {
        if (this.#members.includes(tab)) throw error;
      }),
    );
  }

  async #leave(): Promise<void> {
    const tab = this.#takeRunning();
    if (tab === undefined) return;
    this.#tell({ kind: 'left', member: tab.member });
    // It may have been removed before, and not have heard of it.
    await tab.leave().catch((error: Error) => expect(error.message).toContain('FENCED'));
  }

  async #crash(): Promise<void> {
    const tab = this.#takeRunning();
    if (tab === undefined) return;
    const crash = { kind: 'fault', what: 'crash', member: tab.member } as const;
    this.#tell(crash);
    await tab.crash();
    this.#tell(crash); // for what it still told meanwhile
  }

  async #suspend(): Promise<void> {
    const tab = this.#running();
    if (tab === undefined || this.#suspended !== undefined || this.#hasKilled) return;
    this.#suspended = tab;
    const freeze = { kind: 'fault', what: 'freeze', member: tab.member } as const;
    this.#tell(freeze);
    await tab.suspend();
    this.#tell(freeze); // for what it still told meanwhile
  }

  async #resume(): Promise<void> {
    const tab = this.#suspended;
    if (tab === undefined) return;
    this.#suspended = undefined;
    this.#tell({ kind: 'fault', what: 'thaw', member: tab.member });
    tab.resume();
  }

  async #getStuck(): Promise<void> {
    const tab = this.#running();
    if (tab === undefined || this.#stuck.has(tab)) return;
    this.#stuck.add(tab);
    this.#tell({ kind: 'fault', what: 'stuck', member: tab.member });
    await tab.page.evaluate(() => window.api.member.closeGate());
  }

  async #goOn(): Promise<void> {
    const tab = [...this.#stuck].find((each) => each !== this.#suspended);
    if (tab === undefined) return;
    this.#stuck.delete(tab);
    await tab.page.evaluate(() => window.api.member.openGate());
    this.#tell({ kind: 'fault', what: 'goesOn', member: tab.member });
  }

  async #addPartition(): Promise<void> {
    if (this.#partitions < MAX_PARTITIONS) await this.#tabs.addPartitions(++this.#partitions);
  }

  /** The next one is in any tab's process, so no tab is suspended from then on: it might hang. */
  async #killWorker(): Promise<void> {
    if (!this.#isShared || this.#steps < STEPS / 2) return;
    if (this.#members.length === 0) return; // nobody would ask for another one
    await this.#resume();
    this.#hasKilled = true;
    await this.#tabs.killSharedWorker();
  }

  async #produce(): Promise<void> {
    const partitions = Array.from({ length: this.#random.int(1, 10) }, () =>
      this.#random.int(0, this.#partitions - 1),
    );
    await this.#tabs.sendAll(partitions);
  }

  #running(): Tab | undefined {
    const running = this.#members.filter((tab) => tab !== this.#suspended);
    return running.length === 0 ? undefined : this.#random.pick(running);
  }

  /** One that is a member no longer. */
  #takeRunning(): Tab | undefined {
    const taken = this.#running();
    this.#members = this.#members.filter((tab) => tab !== taken);
    if (taken !== undefined) this.#stuck.delete(taken);
    return taken;
  }

  #tell(event: Event): void {
    this.#tabs.told.push(event);
  }
}

describe.each(HOSTS)('a random walk with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it(
    `of ${STEPS} steps keeps every promise (TABLOG_SEED=${seed})`,
    { timeout: 180_000 },
    async () => {
      console.log(`TABLOG_SEED=${seed}`);
      const walk = new Walk(used.tabs, new Random(seed), !deleteSharedWorker);
      await walk.begin();
      for (let step = 0; step < STEPS; step++) await walk.step();
      await walk.end();
      const { told } = used.tabs;
      expect(told.filter(({ kind }) => kind === 'stopped')).toEqual([]);
      const history = told.flatMap((event) =>
        event.kind === 'stopped' || event.kind === 'busy' ? [] : [event],
      );
      expect(explain(history, checkHistory(history))).toBe('');
    },
  );
});
