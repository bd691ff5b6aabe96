import { onTestFinished } from 'vitest';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import type { Log, LogStatus } from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { settle } from '../../support/waiting.ts';

/** A status without the time. */
export type Told = Record<string, unknown> & { readonly type: LogStatus['type'] };

/** What a log tells in one iterator, read in the background. */
export interface Listener {
  /** What was told so far, without the times. */
  readonly told: readonly Told[];
  /** The times of it. */
  readonly times: readonly number[];
  readonly types: readonly LogStatus['type'][];
  /** Resolves when the iterator has ended. */
  readonly over: Promise<void>;
}

export function listen(log: Log): Listener {
  const told: Told[] = [];
  const times: number[] = [];
  const statuses = log.status();
  const over = (async () => {
    for await (const { timestamp, ...status } of statuses) {
      told.push(status);
      times.push(timestamp);
    }
  })();
  return {
    told,
    times,
    over,
    get types() {
      return told.map(({ type }) => type);
    },
  };
}

/** What is told while `work` runs, and right after it. */
export async function toldWhile(log: Log, work: () => unknown): Promise<readonly Told[]> {
  const { told } = listen(log);
  await work();
  await settle();
  return [...told];
}

/** Brokers over one store, whose calls fail when a test says so. */
export interface FaultyHost extends InlineHost {
  readonly store: Store;
  /** The connection of the broker that opened last. */
  readonly connection: FaultStore;
}

export function faultyHost(): FaultyHost {
  const store = openMemoryStore();
  const connections: FaultStore[] = [];
  onTestFinished(() => store.close());
  return {
    isOneThread: true,
    store,
    get connection() {
      return connections.at(-1)!;
    },
    open(name) {
      const openStore = async (): Promise<Store> => {
        const connection = new FaultStore(store);
        connections.push(connection);
        return connection;
      };
      const broker = new LogBroker({ name, openStore });
      return { broker, close: () => broker.close() };
    },
  };
}
