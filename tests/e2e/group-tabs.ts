import type { BrowserContext, Page } from 'playwright';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { HistoryEvent } from '../checker/history.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { newTab } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import { injectFault } from '../support/worker-faults.ts';
import { useBrowser, usePage } from './fixture.ts';
import type { MemberOptions, Told } from './page/group-member.ts';

export const HOSTS = [
  { name: 'a SharedWorker', deleteSharedWorker: false },
  { name: 'a dedicated worker a tab', deleteSharedWorker: true },
] as const;

/** More than anything takes on a busy machine; nothing is asserted of it. */
const PATIENCE_MS = 60_000;

/** A member reads a partition for as long as there are records: what is ahead of it has to be little. */
const MAX_UNREAD = 20;

/** What a tab tells, or what the test does. */
export type Event =
  | (Extract<HistoryEvent, { kind: 'produced' }> & { readonly value: string })
  | Extract<HistoryEvent, { kind: 'left' | 'fault' | 'ended' }>
  | Told;

/** Waits until `check` throws no more. */
export function until<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 25 });
}

/** A tab with the log open, and perhaps a member of the group in it. */
export class Tab {
  readonly page: Page;
  readonly member: string;
  readonly #tabs: Tabs;

  constructor(tabs: Tabs, page: Page, member: string) {
    this.#tabs = tabs;
    this.page = page;
    this.member = member;
  }

  /** Joins, and resolves when the member is ready. */
  join(options: MemberOptions = {}): Promise<void> {
    return this.page.evaluate(
      ([member, options]) => window.api.member.join(window.api.mustGetLog(), member, options),
      [this.member, options] as const,
    );
  }

  leave(): Promise<void> {
    return this.page.evaluate((member) => window.api.member.leave(member), this.member);
  }

  async openLog(): Promise<void> {
    await this.page.evaluate(() => window.api.open('shop', 'default'));
  }

  /** Closes the tab, and the page hears nothing of it. */
  async close(): Promise<void> {
    this.#tabs.forget(this);
    await this.page.close();
  }

  async crash(): Promise<void> {
    this.#tabs.forget(this);
    await this.#tabs.profile.crash(this.page);
  }

  async reload(): Promise<void> {
    await this.reloadPage();
    await this.openLog();
  }

  /** Without opening the log. */
  async reloadPage(): Promise<void> {
    await this.page.reload();
    await this.page.waitForFunction('window.api !== undefined');
  }

  /** Stops the tab's process, as a sleep or a debugger would. */
  suspend(): Promise<void> {
    return this.#tabs.suspend(this);
  }

  /** Lets it run again. */
  resume(): void {
    this.#tabs.resume(this);
  }

  /** What is told of its member, from the `from`th event of the run. */
  events<K extends Told['kind']>(kind: K, from = 0): (Told & { readonly kind: K })[] {
    return this.#tabs.told
      .slice(from)
      .filter((event) => event.kind === kind)
      .filter(
        (event): event is Told & { readonly kind: K } =>
          'member' in event && event.member === this.member,
      );
  }
}

/** The tabs of a test: the keeper, which is no member and hosts the shared worker, and the members. */
export class Tabs {
  /** Everything, as it happened. */
  readonly told: Event[] = [];
  readonly profile: Profile;
  readonly context: BrowserContext;
  readonly #url: string;
  readonly #tabs = new Set<Tab>();
  readonly #pids = new Map<Tab, number>();
  readonly #suspended = new Map<Tab, number>();
  /** Records that were sent and not delivered. */
  readonly #unread = new Set<string>();
  readonly #read = new Set<string>();
  #wakeSender = (): void => {};
  #keeper: Tab | undefined;
  #sending: Promise<void> | undefined;

  constructor({ profile, context }: ReturnType<typeof useBrowser>, url: string) {
    this.profile = profile;
    this.context = context;
    this.#url = url;
  }

  get keeper(): Tab {
    return this.#keeper!;
  }

  async start(deleteSharedWorker: boolean): Promise<void> {
    if (deleteSharedWorker) await this.context.addInitScript('delete globalThis.SharedWorker');
    await this.context.exposeBinding('told', (_source, event: Event) => this.#hear(event));
    await this.context.exposeBinding('caughtUp', () => this.#caughtUp());
    this.#keeper = await this.open('keeper');
  }

  #hear(event: Event): void {
    this.told.push(event);
    if (event.kind !== 'produced' && event.kind !== 'delivered') return;
    const place = `${event.partition}@${event.offset}`;
    if (event.kind === 'delivered') {
      this.#unread.delete(place);
      this.#read.add(place);
    } else if (!this.#read.has(place)) this.#unread.add(place); // its producer may hear of it later
    if (this.#unread.size < MAX_UNREAD) this.#wakeSender();
  }

  async #caughtUp(): Promise<void> {
    while (this.#unread.size >= MAX_UNREAD) {
      await new Promise<void>((resolve) => (this.#wakeSender = resolve));
    }
  }

  /** Opens a tab for a member of this name. */
  async open(member: string): Promise<Tab> {
    const tab = new Tab(this, await newTab(this.context, this.#url), member);
    this.#tabs.add(tab);
    await tab.openLog();
    return tab;
  }

  forget(tab: Tab): void {
    this.#tabs.delete(tab);
    this.#pids.delete(tab);
  }

  /** Makes the topic 'orders'. */
  async createOrders(partitions: number): Promise<void> {
    await this.keeper.page.evaluate(async (count) => {
      const { topic, string } = window.api;
      await window.api
        .mustGetLog()
        .admin.createTopics([topic('orders', { value: string(), partitions: count })]);
    }, partitions);
  }

  async addPartitions(partitions: number): Promise<void> {
    await this.keeper.page.evaluate(async (count) => {
      await window.api
        .mustGetLog()
        .admin.createPartitions([{ topic: 'orders', partitions: count }]);
    }, partitions);
  }

  /** Sends records, to one partition after the other and as fast as they are read, until `stopSending`. */
  startSending(partitions: number): void {
    this.#sending = this.keeper.page.evaluate(async (count) => {
      const producer = window.api.mustGetLog().producer();
      document.title = 'sending';
      for (let i = 0; document.title === 'sending'; i++) {
        const value = `record ${i}`;
        const { orders } = window.api.member;
        // One of unknown outcome, because the worker was killed, may be there.
        const sent = await producer
          .send(orders, { value, partition: i % count })
          .catch((error: { code?: unknown }) => {
            if (error.code !== 'OUTCOME_UNKNOWN') throw error;
          });
        if (sent !== undefined) await window.told({ kind: 'produced', ...sent, value });
        await window.caughtUp();
      }
      await producer.close();
    }, partitions);
    this.#sending.catch(() => {}); // `stopSending` tells
  }

  async stopSending(): Promise<void> {
    await this.keeper.page.evaluate(() => (document.title = ''));
    await this.#sending;
  }

  /** Sends one record to the partition. */
  send(partition: number, value: string): Promise<void> {
    return this.sendAll([partition], value);
  }

  /** Sends a record to each of these partitions; what a killed worker leaves unknown may be there. */
  async sendAll(partitions: readonly number[], value = 'record'): Promise<void> {
    await this.keeper.page.evaluate(
      async ([partitions, value]) => {
        const producer = window.api.mustGetLog().producer();
        const { orders } = window.api.member;
        const sends = partitions.map((partition) => producer.send(orders, { value, partition }));
        for (const sent of await Promise.allSettled(sends)) {
          if (sent.status === 'fulfilled') {
            await window.told({ kind: 'produced', ...sent.value, value });
          } else if (sent.reason.code !== 'OUTCOME_UNKNOWN') throw sent.reason;
        }
        await producer.close();
      },
      [partitions, value] as const,
    );
  }

  describe(): Promise<Awaited<ReturnType<typeof describeBilling>>> {
    return this.keeper.page.evaluate(describeBilling);
  }

  /** Who has which partitions of 'orders'. Throws while something is to move. */
  async owners(): Promise<Record<string, number[]>> {
    const { state, members, partitions } = await this.describe();
    expect(state).not.toBe('reconciling');
    return Object.fromEntries(
      members.map(({ memberId }) => [
        memberId,
        partitions.filter(({ owner }) => owner === memberId).map(({ partition }) => partition),
      ]),
    );
  }

  /**
   * Waits until these members, and no others, share the partitions so evenly, and each partition's
   * owner was the last to get a record of it, and one that was not there before.
   */
  async balanced(members: readonly Tab[], sizes: readonly number[]): Promise<void> {
    const names = members.map(({ member }) => member).sort();
    const before = await this.describe();
    await until(async () => {
      const owners = await this.owners();
      expect(Object.keys(owners).sort()).toEqual(names);
      const found = Object.values(owners).map(({ length }) => length);
      expect(found.sort((x, y) => x - y)).toEqual(sizes);
      for (const { partition, endOffset } of before.partitions) {
        const last = this.delivered.findLast((event) => event.partition === partition);
        const reader = Object.keys(owners).find((name) => owners[name]!.includes(partition));
        expect(last?.member, `who reads ${partition}`).toBe(reader);
        expect(last?.offset, `the place in ${partition}`).toBeGreaterThanOrEqual(endOffset);
      }
    });
  }

  get delivered(): (Told & { readonly kind: 'delivered' })[] {
    return this.told.filter((event) => event.kind === 'delivered');
  }

  /** Waits until everything is read and committed; then see `checkDeliveries`. */
  async drained(): Promise<void> {
    const ends = await until(async () => {
      const { state, partitions } = await this.describe();
      expect(state).toBe('stable');
      expect(partitions.map(({ committedOffset }) => committedOffset)).toEqual(
        partitions.map(({ endOffset }) => endOffset),
      );
      return partitions.map(({ endOffset }) => endOffset);
    });
    checkDeliveries(this.told, ends);
  }

  /** Waits until so many times somebody has asked the members for a sign of life. */
  async probes(count: number): Promise<void> {
    await this.keeper.page.evaluate(
      async ([name, count]) => {
        const channel = new BroadcastChannel(name);
        let left = count;
        await new Promise<void>((resolve) => {
          channel.addEventListener('message', ({ data }) => {
            if (data.kind === 'probe' && --left === 0) resolve();
          });
        });
        channel.close();
      },
      [`tablog/${PROTOCOL_VERSION}/shop`, count] as const,
    );
  }

  /** Finds out which process runs which tab; to be called before a page is kept busy. */
  async findProcesses(): Promise<void> {
    for (const tab of this.#tabs) {
      if (!this.#pids.has(tab)) this.#pids.set(tab, await this.profile.processOf(tab.page));
    }
  }

  async suspend(tab: Tab): Promise<void> {
    await this.findProcesses();
    const pid = this.#pids.get(tab)!;
    const sharing = [...this.#pids].filter(([, other]) => other === pid);
    expect(sharing, 'tabs in the same process').toHaveLength(1);
    for (;;) {
      process.kill(pid, 'SIGSTOP');
      this.#suspended.set(tab, pid);
      // Stopped amid a transaction it would hold up all others for a minute: that is not this test.
      if (await this.keeper.page.evaluate(canWrite, 300)) return;
      this.resume(tab);
      await this.keeper.page.evaluate(canWrite, PATIENCE_MS);
    }
  }

  resume(tab: Tab): void {
    process.kill(this.#suspended.get(tab)!, 'SIGCONT');
    this.#suspended.delete(tab);
  }

  /** What was stopped cannot be closed. */
  resumeAll(): void {
    for (const tab of this.#suspended.keys()) this.resume(tab);
  }

  /** Kills the shared worker; the tabs live. */
  async killSharedWorker(): Promise<void> {
    await this.keeper.page.evaluate(injectFault, 'close' as const);
  }

  /** Has the shared worker do nothing any more, without an end. */
  async hangSharedWorker(): Promise<void> {
    await this.keeper.page.evaluate(injectFault, 'hang' as const);
  }
}

/** Tabs on a fresh profile for each test, in its browser. */
export function useTabs(deleteSharedWorker: boolean): {
  readonly tabs: Tabs;
  readonly browser: ReturnType<typeof useBrowser>;
  readonly page: ReturnType<typeof usePage>;
} {
  const page = usePage();
  const browser = useBrowser();
  const used = { page, browser } as { tabs: Tabs; page: typeof page; browser: typeof browser };
  beforeEach(async () => {
    used.tabs = new Tabs(browser, page.server.url);
    await used.tabs.start(deleteSharedWorker);
  });
  afterEach(() => used.tabs.resumeAll());
  return used;
}

/**
 * Each partition's records were all delivered, as they were stored; none before the one before it,
 * none to a member that did not have the partition, and within one assignment each once.
 */
function checkDeliveries(told: readonly Event[], ends: readonly number[]): void {
  const values = new Map<string, string>();
  for (const event of told) {
    if (event.kind === 'produced') values.set(`${event.partition}@${event.offset}`, event.value);
  }
  const next = ends.map(() => 0);
  /** What each member that has a partition gets next; null: whatever. */
  const places = new Map<string, number | null>();
  for (const event of told) {
    if (!('member' in event && 'partition' in event)) continue;
    const { kind, member, partition } = event;
    const progress = `${member}/${partition}`;
    if (kind === 'assigned') places.set(progress, null);
    if (kind === 'revoked' || kind === 'lost') places.delete(progress);
    if (kind !== 'delivered') continue;
    const { offset, value } = event;
    const what = `${value} at ${offset} of ${partition}, to ${member}`;
    const place = places.get(progress);
    expect(place, `not assigned: ${what}`).not.toBeUndefined();
    expect(offset, `the order of ${what}`).toBe(place ?? offset);
    places.set(progress, offset + 1);
    expect(offset, `a record is left out before ${what}`).toBeLessThanOrEqual(next[partition]!);
    next[partition] = Math.max(next[partition]!, offset + 1);
    expect(value, what).toBe(values.get(`${partition}@${offset}`) ?? value);
  }
  expect(next).toEqual(ends);
}

async function describeBilling() {
  return (await window.api.mustGetLog().admin.describeGroups(['billing']))[0];
}

/** Whether a transaction over the whole database gets its turn within `ms`. */
async function canWrite(ms: number): Promise<boolean> {
  const [{ name } = {}] = await indexedDB.databases();
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(name!);
    opening.addEventListener('success', () => resolve(opening.result));
    opening.addEventListener('error', () => reject(opening.error!));
  });
  const transaction = database.transaction([...database.objectStoreNames], 'readwrite');
  const done = new Promise<true>((resolve) => {
    transaction.addEventListener('complete', () => resolve(true));
  });
  const late = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), ms);
  });
  const result = await Promise.race([done, late]);
  database.close();
  return result;
}
