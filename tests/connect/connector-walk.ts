import { expect, test } from 'vitest';
import type { Connector, Sink } from '../../src/connect.ts';
import { json, openLog, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import { sleep, systemClock } from '../../src/platform/clock.ts';
import { Random } from '../checker/random.ts';
import { memoryHost } from '../support/log-fixture.ts';
import { lengthOf, seedsOf } from '../support/seeds.ts';
import { eventually } from '../support/waiting.ts';
import { connected } from './connector-fixture.ts';
import type { Fault } from './fake-target.ts';

const PARTITIONS = 3;
const STEPS = 40;
const MAX_TABS = 4;
const orders = topic('events', { value: json<number>(), partitions: PARTITIONS });

/** The far end of a walk, and the network before it. */
export interface WalkTarget {
  readonly faults: Fault[];
  /** How long a request is on its way. */
  delay: () => Promise<void>;
  /** A tab's sink to it. */
  sink(): Sink;
  /** What was stored of a partition, in order. */
  valuesOf(partition: number): readonly unknown[] | Promise<readonly unknown[]>;
  /** What else can befall it. */
  disturb?(): void;
}

/** A tab, and what its connector lost with it when it went without a word. */
interface Tab {
  readonly log: Log;
  readonly connector: Connector;
}

/** Tabs come and go, requests and answers get lost, the target is restarted, and time passes. */
class Walk {
  readonly random: Random;
  readonly target: WalkTarget;
  readonly host: InlineHost = memoryHost();
  readonly sent: number[][] = Array.from({ length: PARTITIONS }, () => []);
  tabs: Tab[] = [];
  #value = 0;

  constructor(seed: number, target: WalkTarget) {
    this.random = new Random(seed);
    this.target = target;
    // A request can arrive when its tab is gone, and another tab goes on.
    this.target.delay = () => sleep(systemClock, this.random.int(0, 4));
  }

  async open(): Promise<void> {
    if (this.tabs.length >= MAX_TABS) return;
    const log = await openLog('shop', { host: this.host });
    await log.admin.createTopics([orders]);
    const connector = connected(log, this.target.sink(), {
      maxRecords: this.random.int(1, 6),
      concurrency: this.random.int(1, 3),
    });
    this.tabs.push({ log, connector });
  }

  async close(): Promise<void> {
    if (this.tabs.length < 2) return;
    const [{ log, connector }] = this.tabs.splice(this.random.int(0, this.tabs.length - 1), 1) as [
      Tab,
    ];
    // As a tab that is closed: in the middle of whatever is put.
    await Promise.all([connector.close(), log.close()]);
  }

  async send(): Promise<void> {
    const producer = this.tabs[0]!.log.producer();
    const partition = this.random.int(0, PARTITIONS - 1);
    const count = this.random.int(1, 8);
    const values = Array.from({ length: count }, () => this.#value++);
    await producer.sendBatch(
      orders,
      values.map((value) => ({ partition, value })),
    );
    this.sent[partition]!.push(...values);
    await producer.close();
  }

  async fault(): Promise<void> {
    const faults: readonly Fault[] = [
      'none',
      'requestLost',
      'answerLost',
      new Response(null, { status: 503, headers: { 'retry-after': '0' } }),
      new Response(null, { status: 500 }),
      new Response('<h1>Sign in</h1>'),
      new Response(null, { status: 401 }),
    ];
    for (let i = this.random.int(1, 6); i > 0; i--) {
      this.target.faults.push(this.random.pick(faults));
    }
  }

  async step(): Promise<void> {
    const acts = [
      () => this.open(),
      () => this.close(),
      () => this.send(),
      () => this.send(),
      () => this.fault(),
      () => this.target.disturb?.(),
      () => sleep(systemClock, 2),
    ];
    await this.random.pick(acts)();
  }

  async run(): Promise<void> {
    await this.open();
    for (let i = 0; i < STEPS; i++) await this.step();
    this.target.faults.length = 0;
    await eventually(async () => (await this.arrived()).flat().length >= this.sent.flat().length);
    await Promise.all(this.tabs.map(({ connector }) => connector.close()));
    await Promise.all(this.tabs.map(({ log }) => log.close()));
  }

  arrived(): Promise<readonly (readonly unknown[])[]> {
    return Promise.all(this.sent.map(async (_, partition) => this.target.valuesOf(partition)));
  }
}

/** Seeded walks of connectors to a target that `newTarget` makes. */
export function testWalks(what: string, newTarget: () => WalkTarget | Promise<WalkTarget>): void {
  const seeds = seedsOf(lengthOf(25, 100));
  test(
    `each record comes once, in order, whatever happens, to ${what}: ${seeds.length} walks`,
    { timeout: 600_000 },
    async () => {
      for (const seed of seeds) {
        const walk = new Walk(seed, await newTarget());
        await walk.run();
        expect(await walk.arrived(), `TABLOG_SEED=${seed}`).toEqual(walk.sent);
      }
    },
  );
}
