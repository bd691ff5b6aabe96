import { setTimeout as sleep } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { Random } from '../checker/random.ts';
import { newTab } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import type { PageServer } from '../support/page-server.ts';
import { lengthOf, oneSeed } from '../support/seeds.ts';
import { clockScript, setClock } from '../support/shifted-clock.ts';
import { injectFault } from '../support/worker-faults.ts';
import { needs, useBrowser, usePage } from './fixture.ts';
import type { Target } from './page/connector.ts';

/** `TABLOG_CONNECT_RUNS=50 TABLOG_CONNECT_RECORDS=10000` for what README tells. */
const RUNS = Number(process.env['TABLOG_CONNECT_RUNS'] ?? lengthOf(1, 2));
const RECORDS = Number(process.env['TABLOG_CONNECT_RECORDS'] ?? lengthOf(1_000, 3_000));
const WAVES = 20;
const PARTITIONS = 4;
const TABS = 3;
/** More than a week: Kafka forgets by default what a group committed, and who a producer was. */
const WEEK_MS = 8 * 86_400_000;
const SCRIPT = /\.js$/;
/** What is longer is a fault, which the status tells. */
const DRAINED_WITHIN_MS = 150_000;

/** The far end, as a process of its own over files. */
export interface Server {
  readonly target: Target;
  /** Starts it, where it does not run. */
  start(): Promise<void>;
  kill(): Promise<unknown>;
  /** Sets its clock forth, where it does not run, and has the windows expire that it has. */
  passTime(ms: number): void | Promise<void>;
  /** The numbers that it has, in the order in which it has them; `tab`: a page that may ask it. */
  stored(tab: Page): Promise<readonly number[]>;
}

/** What goes wrong in one run. */
class Run {
  readonly random: Random;
  readonly server: Server;
  readonly browser: { readonly profile: Profile; context: BrowserContext };
  readonly page: PageServer;
  tabs: Page[] = [];
  readonly faults = new Map<string, number>();
  /** The numbers whose `send` was acked, and those of which nobody knows. */
  readonly acked = new Set<number>();
  #isOffline = false;

  constructor(
    seed: number,
    server: Server,
    browser: { readonly profile: Profile; context: BrowserContext },
    page: PageServer,
  ) {
    this.random = new Random(seed);
    this.server = server;
    this.browser = browser;
    this.page = page;
  }

  async open(): Promise<Page> {
    const tab = await newTab(this.browser.context, this.page.url);
    await tab.evaluate(async (target) => {
      await window.api.open('shop', 'default');
      await window.api.connector.begin(window.api.mustGetLog(), target);
    }, this.server.target);
    this.tabs.push(tab);
    return tab;
  }

  async send(from: number, to: number): Promise<void> {
    const tab = this.tabs[0] ?? (await this.open());
    await tab.evaluate(
      async ([first, end]) => window.api.connector.send(window.api.mustGetLog(), first, end),
      [from, to] as const,
    );
    for (let number = from; number < to; number++) this.acked.add(number);
  }

  async fault(): Promise<void> {
    const acts: Readonly<Record<string, () => Promise<void>>> = {
      'server killed': async () => {
        await this.server.kill();
        if (this.random.chance(0.5)) await this.server.start();
      },
      'server started': () => this.server.start(),
      'tab closed': async () => {
        await this.#take()?.close();
      },
      'tab crashed': async () => {
        const tab = this.#take();
        if (tab === undefined) return;
        const session = await this.browser.context.newCDPSession(tab);
        session.send('Page.crash').catch(() => {}); // nobody is left to answer
        await tab.waitForEvent('crash');
        await tab.close();
      },
      'worker killed': async () => {
        // Without the network another worker's file could not be loaded.
        if (!this.#isOffline) await this.tabs[0]?.evaluate(injectFault, 'close' as const);
      },
      'tab opened': async () => {
        if (!this.#isOffline && this.tabs.length < TABS) await this.open();
      },
      'network gone or back': async () => {
        this.#isOffline = !this.#isOffline;
        await this.browser.context.setOffline(this.#isOffline);
      },
      'browser killed': () => this.#killBrowser(),
    };
    const name = this.random.pick(Object.keys(acts));
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
    await acts[name]!();
  }

  /**
   * A week passes, by the clocks of page, worker and server: of a machine that slept, or of one that
   * was switched off.
   */
  async passWeek(): Promise<void> {
    await this.server.kill();
    await this.server.passTime(WEEK_MS);
    this.page.override(SCRIPT, (response, body) => {
      const headers = { 'content-type': 'text/javascript', 'access-control-allow-origin': '*' };
      response.writeHead(200, headers).end(`${clockScript(WEEK_MS)}${String(body)}`);
    });
    if (this.random.chance(0.5)) return this.#killBrowser();
    const forth = `clock ${WEEK_MS}` as const;
    await this.tabs[0]?.evaluate(injectFault, forth);
    await Promise.all(this.tabs.map((tab) => tab.evaluate(setClock, WEEK_MS)));
  }

  /** Everything is well again: waits until all is delivered. */
  async end(): Promise<Page> {
    await this.server.start();
    await this.browser.context.setOffline(false);
    const tab = this.tabs[0] ?? (await this.open());
    const drained = (async () => {
      while (!(await tab.evaluate(() => window.api.connector.isDrained())));
      return true;
    })();
    drained.catch(() => {}); // of a tab that is closed after it was given up
    if (!(await Promise.race([drained, sleep(DRAINED_WITHIN_MS, false)]))) {
      const status = tab.evaluate(async () => JSON.stringify(await window.api.connector.status()));
      const told = await Promise.race([status, sleep(10_000, 'the page does not answer')]);
      throw new Error(`not delivered within ${DRAINED_WITHIN_MS} ms: ${told}`);
    }
    return tab;
  }

  async close(): Promise<void> {
    this.page.override(SCRIPT, undefined);
    await this.server.kill();
  }

  async #killBrowser(): Promise<void> {
    await this.browser.profile.kill();
    this.browser.context = await this.browser.profile.start();
    this.tabs = [];
    this.#isOffline = false;
  }

  /** A tab that is not needed; the network has to be there to load one. */
  #take(): Page | undefined {
    return this.#isOffline || this.tabs.length < 2 ? undefined : this.tabs.pop();
  }
}

/** Seeded runs of a page that is connected to a server, in which everything dies at random. */
export function testRuns(what: string, newServer: (origin: string) => Promise<Server>): void {
  needs('kill', 'crash');
  const page = usePage();
  const browser = useBrowser();
  const first = oneSeed();

  describe(`a page that is connected to ${what}`, () => {
    it.each(Array.from({ length: RUNS }, (_, i) => (first + i) % 2 ** 32))(
      `has each of ${RECORDS} records there once, in order, whatever dies (TABLOG_SEED=%i)`,
      { timeout: 300_000 },
      async (seed) => {
        const server = await newServer(new URL(page.server.url).origin);
        await server.start();
        const run = new Run(seed, server, browser, page.server);
        try {
          await run.open();
          const week = run.random.int(0, WAVES - 1);
          for (let wave = 0; wave < WAVES; wave++) {
            const [from, to] = [wave, wave + 1].map((each) => Math.floor((RECORDS / WAVES) * each));
            await run.send(from!, to!);
            await (wave === week ? run.passWeek() : run.fault());
          }
          const tab = await run.end();
          expect(await tab.evaluate(() => Date.now())).toBeGreaterThan(Date.now() + WEEK_MS / 2);
          const stored = await server.stored(tab);
          const byPartition = Array.from({ length: PARTITIONS }, (_, partition) =>
            stored.filter((number) => number % PARTITIONS === partition),
          );
          expect(run.acked.size).toBe(RECORDS);
          expect(byPartition).toEqual(
            Array.from({ length: PARTITIONS }, (_, partition) =>
              Array.from({ length: RECORDS / PARTITIONS }, (__, i) => i * PARTITIONS + partition),
            ),
          );
          console.log(`${seed}: ${[...run.faults].map((each) => each.join(' ')).join(', ')}`);
        } finally {
          await run.close();
        }
      },
    );
  });
}
