import type { BrowserContext, Page } from 'playwright';
import { vi } from 'vitest';
import { newTab } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import type { PageServer } from '../support/page-server.ts';
import type { StartOptions } from '../engines/engine.ts';
import type { Random } from '../checker/random.ts';
import { checkRun } from './check-run.ts';
import type { Verdict } from './check-run.ts';
import type { ActorOptions, MatrixApi } from './page/main.ts';
import type { Contents, RunEvent, Told } from './run-record.ts';

declare const api: MatrixApi;

/** How many tabs send and copy. */
export const TABS = 3;

/** More than anything takes on a busy machine; nothing is asserted of it. */
const LIMIT_MS = 60_000;

/** The place of brokers. 'mixed': each tab has another host than the one before it. */
export type Host = ActorOptions['host'] | 'mixed';

/** A tab that acts in a run. */
export interface Actor {
  readonly page: Page;
  readonly name: string;
}

export interface RunOptions {
  readonly profile: Profile;
  readonly server: PageServer;
  readonly host: Host;
  readonly random: Random;
  readonly start?: StartOptions | undefined;
}

/**
 * A run of tabs that send orders and copy them, while a fault is injected. The record is what the
 * tabs told, so it is known whatever becomes of the browser.
 */
export class Run {
  readonly profile: Profile;
  readonly server: PageServer;
  readonly host: Host;
  readonly random: Random;
  readonly events: RunEvent[] = [];
  readonly #start: StartOptions | undefined;
  #context: BrowserContext | undefined;
  #actors: Actor[] = [];
  #producers = 0;
  /** Milliseconds from a fault to the first record that was sent and copied after it. */
  readonly recoveries: number[] = [];

  constructor({ profile, server, host, random, start }: RunOptions) {
    this.profile = profile;
    this.server = server;
    this.host = host;
    this.random = random;
    this.#start = start;
  }

  get context(): BrowserContext {
    return this.#context!;
  }

  /** How many records were acked. */
  get acked(): number {
    return this.events.filter(({ kind }) => kind === 'acked').length;
  }

  get actors(): readonly Actor[] {
    return this.#actors;
  }

  /** Starts the browser, or starts it again on the same profile. */
  async startBrowser(): Promise<void> {
    this.#actors = [];
    this.#context = await this.profile.start(this.#start);
    await this.#context.exposeBinding('told', (_source, _tab: string, events: Told[]) => {
      const at = Date.now();
      for (const event of events) this.events.push({ at, ...event });
    });
    if (this.host !== 'shared') await this.#context.addInitScript(rememberWorkers);
  }

  /** Opens tabs, which send and copy from then on. */
  async openActors(count: number): Promise<Actor[]> {
    const opened: Actor[] = [];
    for (let i = 0; i < count; i++) opened.push(await this.openActor());
    return opened;
  }

  /** Opens a tab that acts. `path`: of the page, on the server. */
  async openActor(path = '/'): Promise<Actor> {
    const actor = await this.openTab(path);
    await this.act(actor);
    return actor;
  }

  /** Opens a tab that does nothing yet. */
  async openTab(path = '/'): Promise<Actor> {
    const page = await newTab(this.context, this.server.url + path);
    const actor = { page, name: this.newProducer() };
    this.#actors.push(actor);
    return actor;
  }

  /** Has a tab open the log; resolves to 'opened' or to the code of an error. */
  open(
    { page, name }: Actor,
    options: Pick<ActorOptions, 'onUnrecoverable'> = {},
  ): Promise<string> {
    const host = this.#hostOf(name);
    return page.evaluate((all) => api.open(all), { tab: name, host, ...options });
  }

  #hostOf(tab: string): ActorOptions['host'] {
    if (this.host !== 'mixed') return this.host;
    return (['shared', 'dedicated', 'inline'] as const)[Number(tab.slice(1)) % 3]!;
  }

  /** Has a tab open the log, send and copy. */
  async act(actor: Actor, producer = actor.name): Promise<void> {
    const opened = await this.open(actor);
    if (opened !== 'opened') throw new Error(`${actor.name} could not open the log: ${opened}`);
    await this.work(actor, producer);
  }

  /** Has a tab that has opened the log send and copy. */
  async work({ page, name }: Actor, producer = name): Promise<void> {
    await page.evaluate((of) => {
      api.startSending(of);
      api.startCopying();
    }, producer);
  }

  /** A name that no producer of this run has had. */
  newProducer(): string {
    return `t${++this.#producers}`;
  }

  async close(actor: Actor): Promise<void> {
    this.#forget(actor);
    await actor.page.close();
  }

  /** Crashes the process of a tab. */
  async crash(actor: Actor): Promise<void> {
    this.#forget(actor);
    await this.profile.crash(actor.page);
  }

  /** Has a tab show another page, which does nothing. */
  async leave(actor: Actor): Promise<void> {
    this.#forget(actor);
    await actor.page.goto('about:blank');
  }

  /** Loads the page of a tab again, which goes to work anew. */
  async reload(actor: Actor): Promise<void> {
    await actor.page.reload();
    await this.actAnew(actor);
  }

  /** Has a page that was loaded again go to work. */
  async actAnew(actor: Actor): Promise<void> {
    await actor.page.waitForFunction('window.api !== undefined');
    await this.act(actor, this.newProducer());
  }

  #forget(actor: Actor): void {
    this.#actors = this.#actors.filter((other) => other !== actor);
  }

  /** Takes one tab at random, which is to go. */
  take(): Actor {
    return this.random.pick(this.#actors);
  }

  /** Waits until all partitions get records and copies. */
  async underWay(): Promise<void> {
    await this.#progressSince(Date.now(), LIMIT_MS);
  }

  /**
   * Injects a fault, and measures how long it takes until a record that was sent after it is stored
   * and a record is copied after it.
   */
  async fault(name: string, inject: () => Promise<unknown>, limitMs = LIMIT_MS): Promise<void> {
    const at = Date.now();
    this.events.push({ at, kind: 'fault', fault: name });
    await inject();
    await this.#progressSince(at, limitMs);
    this.recoveries.push(Date.now() - at);
  }

  /** Waits until a tab tells of such an event. */
  async heard(fits: (event: RunEvent) => boolean): Promise<void> {
    await vi.waitFor(
      () => {
        if (!this.events.some(fits)) throw new Error(`not heard of:${this.#lastEvents()}`);
      },
      { timeout: LIMIT_MS, interval: 20 },
    );
  }

  /** Sets the quota of the origin, or lifts it. */
  async setQuota(bytes: number | undefined): Promise<void> {
    const page = this.#actors[0]?.page ?? (await this.context.newPage());
    if (this.#actors.length === 0) await page.goto(`${this.server.url}/elsewhere.html`);
    const session = await this.context.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', {
      origin: this.server.url,
      ...(bytes !== undefined && { quotaSize: bytes }),
    });
  }

  /** Has nothing to do for a while, so that no transaction is under way. */
  async pause(): Promise<void> {
    await Promise.all(this.#actors.map(({ page }) => page.evaluate(() => api.stopSending())));
    await this.#copied(this.#actors[0]!.page);
  }

  /** Sends again, by other producers. */
  async goOn(): Promise<void> {
    for (const { page } of this.#actors) {
      await page.evaluate((producer) => api.startSending(producer), this.newProducer());
    }
  }

  async #progressSince(at: number, limitMs: number): Promise<void> {
    await vi.waitFor(
      () => {
        const since = this.events.filter((event) => event.at >= at);
        if (!since.some((event) => event.kind === 'acked' && event.sentAt >= at)) {
          throw new Error(`nothing was stored within ${limitMs} ms:${this.#lastEvents()}`);
        }
        if (!since.some((event) => event.kind === 'copied')) {
          throw new Error(`nothing was copied within ${limitMs} ms:${this.#lastEvents()}`);
        }
      },
      { timeout: limitMs, interval: 10 },
    );
  }

  #lastEvents(): string {
    const others = this.events.filter(({ kind }) => kind !== 'acked' && kind !== 'copied');
    return others
      .slice(-10)
      .map((event) => `\n  ${JSON.stringify(event)}`)
      .join('');
  }

  /**
   * Goes on after `finish`, with the same browser and log: what was checked is deleted, and the tabs
   * send and copy again.
   */
  async beginAgain(): Promise<void> {
    this.events.length = 0;
    await this.#actors[0]!.page.evaluate(() => api.trim());
    for (const { page } of this.#actors) await page.evaluate(() => api.startCopying());
    await this.goOn();
    await this.underWay();
  }

  /** Ends the run: nothing more is sent, all is copied, and everything is read by a new tab. */
  async finish(): Promise<Verdict> {
    await Promise.all(this.#actors.map(({ page }) => page.evaluate(() => api.stopSending())));
    const reader = await newTab(this.context, this.server.url);
    const opened = await this.open({ page: reader, name: this.newProducer() });
    if (opened !== 'opened') throw new Error(`the reader could not open the log: ${opened}`);
    if (this.#actors.length === 0) await reader.evaluate(() => api.startCopying());
    await this.#copied(reader);
    const copiers = this.#actors.length > 0 ? this.#actors.map(({ page }) => page) : [reader];
    await Promise.all(copiers.map((page) => page.evaluate(() => api.stopCopying())));
    const orders: Contents[] = await reader.evaluate(() => api.read('orders'));
    const copies: Contents[] = await reader.evaluate(() => api.read('copies'));
    await reader.close();
    return checkRun({ events: this.events, orders, copies });
  }

  /** Waits until everything is copied, as a page sees it. */
  async #copied(reader: Page): Promise<void> {
    await vi.waitFor(
      async () => {
        const [bounds, committed] = await reader.evaluate(() =>
          Promise.all([api.bounds('orders'), api.committed()]),
        );
        const left = bounds.map(({ endOffset }, i) => endOffset - committed[i]!);
        if (left.every((count) => count === 0)) return;
        throw new Error(`not copied: ${left.join(', ')}${this.#lastEvents()}`);
      },
      { timeout: LIMIT_MS, interval: 50 },
    );
  }
}

/** Keeps the page's newest worker, so that it can be terminated. */
function rememberWorkers(): void {
  globalThis.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      Object.assign(globalThis, { newestWorker: this });
    }
  };
}
