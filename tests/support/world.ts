import { setMaxListeners } from 'node:events';
import { onTestFinished } from 'vitest';
import { Connection } from '../../src/client/connection/connection.ts';
import { Log } from '../../src/client/log.ts';
import type { TopicLike } from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Liveness } from '../../src/platform/locks/liveness.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { TestBroker } from './broker-fixture.ts';
import type { OpenStore } from './broker-fixture.ts';
import { FaultStore } from './fault-store.ts';
import { ManualClock } from './manual-clock.ts';
import { stubHost } from './stub-broker.ts';
import type { StubHost } from './stub-broker.ts';
import { passing, settle } from './waiting.ts';

export interface BrokerOptions {
  readonly name?: string;
  /** Default: the world's clock. */
  readonly clock?: Clock;
  /** Opens each connection of the broker. Default: a connection to the world's store. */
  readonly openStore?: OpenStore;
  readonly liveness?: Liveness;
}

export interface TabOptions extends BrokerOptions {
  /**
   * The clock of the tab, where `clock` is the clock of its broker. Default: the system's clock.
   */
  readonly tabClock?: Clock;
}

/** A log in a tab with its own broker. A test can make the tab's calls and connections fail. */
export interface Tab {
  readonly log: Log;
  readonly host: StubHost;
  /** The connections of the tab's brokers, the newest last. */
  readonly connections: readonly FaultStore[];
  /** The newest connection. */
  readonly connection: FaultStore;
}

/** Opens a log as one tab with this clock, and closes it when the test ends. */
export function openTabWith(
  clock: Clock,
  host: InlineHost,
  name: string = crypto.randomUUID(),
): Log {
  const connection = new Connection({ log: name, host, workerUrl: undefined, clock });
  connection.open().catch(() => {}); // the next call rejects with the error
  const log = new Log(name, connection);
  onTestFinished(() => log.close());
  return log;
}

/** One log: a store, a clock that a test moves, and the brokers and tabs over them. */
export class World {
  readonly name: string;
  readonly clock: ManualClock;
  readonly store: Store;

  constructor(options: { readonly name?: string; readonly store?: Store } = {}) {
    this.name = options.name ?? `test-${crypto.randomUUID()}`;
    this.clock = new ManualClock();
    this.store = options.store ?? openMemoryStore(this.clock.now());
    setMaxListeners(0, this.store.closed); // each connection adds a listener
  }

  /** Makes another connection to the store. */
  connect(): FaultStore {
    return new FaultStore(this.store);
  }

  /** Makes another broker over the store, and closes it when the test ends. */
  broker(options: BrokerOptions = {}): TestBroker {
    const { name, clock, store } = this;
    const broker = new TestBroker({ name, clock, openStore: async () => store, ...options });
    onTestFinished(() => broker.broker.close());
    return broker;
  }

  /** Makes another tab with its own broker, and closes the tab when the test ends. */
  tab(options: TabOptions = {}): Tab {
    return this.#tab(options).tab;
  }

  /** As `tab`; opens the log and creates these topics. */
  async openTab(options: TabOptions = {}, ...topics: readonly TopicLike[]): Promise<Tab> {
    const { tab, connection } = this.#tab(options);
    await connection.open();
    if (topics.length > 0) await tab.log.admin.createTopics(topics);
    return tab;
  }

  #tab({ tabClock = systemClock, ...options }: TabOptions): { tab: Tab; connection: Connection } {
    const { name } = this;
    const connections: FaultStore[] = [];
    const host = stubHost({
      open: () => {
        const { broker } = new TestBroker({
          name,
          clock: this.clock,
          openStore: async () => this.store,
          connections,
          ...options,
        });
        return { broker, close: () => broker.close() };
      },
    });
    const connection = new Connection({ log: name, host, workerUrl: undefined, clock: tabClock });
    const log = new Log(name, connection);
    onTestFinished(() => (tabClock === this.clock ? this.passing(log.close()) : log.close()));
    const tab = {
      log,
      host,
      connections,
      get connection() {
        return connections.at(-1)!;
      },
    };
    return { tab, connection };
  }

  /** Moves the world's clock on by `ms`, and waits until the work of due timers is done. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settle();
  }

  /** Settles as `promise` does, and moves the world's clock on until then. */
  passing<T>(promise: Promise<T>): Promise<T> {
    return passing(this.clock, promise);
  }
}
