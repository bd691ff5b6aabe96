import { setMaxListeners } from 'node:events';
import { onTestFinished } from 'vitest';
import { Connection } from '../../src/client/connection/connection.ts';
import { Log } from '../../src/client/log.ts';
import type { TopicLike } from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Liveness } from '../../src/platform/liveness.ts';
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
  /** Default: the world's. */
  readonly clock?: Clock;
  /** Opens each connection of the broker. Default: to the world's store. */
  readonly openStore?: OpenStore;
  readonly liveness?: Liveness;
}

export interface TabOptions extends BrokerOptions {
  /** The tab's own clock; `clock` is its broker's. Default: the system's. */
  readonly tabClock?: Clock;
}

/** A log in a tab with a broker of its own, whose calls and connections a test breaks. */
export interface Tab {
  readonly log: Log;
  readonly host: StubHost;
  /** The connections of the tab's brokers, the newest last. */
  readonly connections: readonly FaultStore[];
  /** The newest connection. */
  readonly connection: FaultStore;
}

/** Opens a log, as one tab does, with a clock of the tab's own. */
export function openTabWith(
  clock: Clock,
  host: InlineHost,
  name: string = crypto.randomUUID(),
): Log {
  const connection = new Connection({ log: name, host, workerUrl: undefined, clock });
  connection.open().catch(() => {}); // whoever calls next hears of a failure
  const log = new Log(name, connection);
  onTestFinished(() => log.close());
  return log;
}

/** One log: a store and a clock that a test moves, and brokers and tabs over them. */
export class World {
  readonly name: string;
  readonly clock: ManualClock;
  readonly store: Store;

  constructor(options: { readonly name?: string; readonly store?: Store } = {}) {
    this.name = options.name ?? `test-${crypto.randomUUID()}`;
    this.clock = new ManualClock();
    this.store = options.store ?? openMemoryStore(this.clock.now());
    setMaxListeners(0, this.store.closed); // one a connection
  }

  /** One more connection to the store. */
  connect(): FaultStore {
    return new FaultStore(this.store);
  }

  /** One more broker over the store; closed when the test is over. */
  broker(options: BrokerOptions = {}): TestBroker {
    const { name, clock, store } = this;
    const broker = new TestBroker({ name, clock, openStore: async () => store, ...options });
    onTestFinished(() => broker.broker.close());
    return broker;
  }

  /** One more tab, with a broker of its own; closed when the test is over. */
  tab(options: TabOptions = {}): Tab {
    return this.#tab(options).tab;
  }

  /** The same, with the log open and with these topics in it. */
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

  /** Time goes by, and everything that was due on the way is over. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settle();
  }

  /** Settles as `promise`, while time goes by. */
  passing<T>(promise: Promise<T>): Promise<T> {
    return passing(this.clock, promise);
  }
}
