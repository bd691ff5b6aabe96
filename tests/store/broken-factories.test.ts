import { expect, test } from 'vitest';
import { logDeleted } from '../../src/base/error.ts';
import { storeFactoryContract } from '../../src/store/contract/factory-contract.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { StoreFactory } from '../../src/store/store-factory.ts';
import type { Store } from '../../src/store/store.ts';

const NAMES = storeFactoryContract().map(({ name }) => name);

/** A factory with other methods in place of its own. */
function broken(change: (factory: StoreFactory) => Partial<StoreFactory>): StoreFactory {
  const factory = memoryStore();
  return { ...factory, ...change(factory) };
}

/** A store with other methods in place of its own. */
function other(store: Store, change: Partial<Store>): Store {
  return {
    read: (refs) => store.read(refs),
    readAll: (name) => store.readAll(name),
    readSegments: (requests) => store.readSegments(requests),
    update: (refs, decide, options) => store.update(refs, decide, options),
    updatePartitions: (refs, decide, options) => store.updatePartitions(refs, decide, options),
    closed: store.closed,
    close: (reason) => store.close(reason),
    ...change,
  };
}

/** One defect each, and the case that is about it. */
const DEFECTS: Readonly<
  Record<string, readonly [(f: StoreFactory) => Partial<StoreFactory>, string]>
> = {
  'asks another clock': [
    (factory) => ({
      open: (log, options) =>
        factory.open(log, { ...options, clock: { ...options.clock, now: () => 1 } }),
    }),
    'makes a log that is missing, at the time of the clock',
  ],
  'opens a new log each time': [
    () => ({ open: async (_, { clock }) => openMemoryStore(clock.now()) }),
    'keeps a log and its id from one opening to the next',
  ],
  'makes a log that must exist': [
    (factory) => ({ open: (log, options) => factory.open(log, { ...options, mustExist: false }) }),
    'rejects with logDeleted() where a log must exist and does not',
  ],
  'has connections that decide upon what they have read before': [
    (factory) => ({
      open: async (log, options) => {
        const store = await factory.open(log, options);
        return other(store, {
          update: async (refs, decide) => {
            const seen = await store.read(refs);
            await Promise.resolve();
            return store.update(refs, (_, write) => decide(seen, write));
          },
        });
      },
    }),
    'has several connections to one log',
  ],
  'closes all connections with one': [
    (factory) => {
      const opened: Store[] = [];
      return {
        open: async (log, options) => {
          const store = await factory.open(log, options);
          opened.push(store);
          return other(store, { close: (reason) => opened.forEach((each) => each.close(reason)) });
        },
      };
    },
    'has several connections to one log',
  ],
  'counts the partition stores of each connection': [
    (factory) => ({
      open: async (log, options) => {
        const store = await factory.open(log, options);
        return other(store, {
          updatePartitions: (refs, decide) =>
            store.updatePartitions(refs, (rows, write) =>
              decide(rows, {
                ...write,
                takePartitions: (count) => Array.from({ length: count }, (_, i) => i),
              }),
            ),
        });
      },
    }),
    'gives no partition store to two connections',
  ],
  'has one log for all names': [
    (factory) => ({
      open: (_, options) => factory.open('the-one', options),
      list: () => factory.list(),
      delete: () => factory.delete('the-one'),
    }),
    'keeps two logs apart',
  ],
  'lists nothing': [() => ({ list: async () => [] }), 'lists its logs'],
  'lists what it has had': [
    (factory) => {
      const names = new Set<string>();
      return {
        open: (log, options) => (names.add(log), factory.open(log, options)),
        list: async () => [...names],
      };
    },
    'lists its logs',
  ],
  'deletes a log under its connections': [
    (factory) => {
      const silent = new AbortController().signal;
      return {
        open: async (log, options) => other(await factory.open(log, options), { closed: silent }),
        delete: (log) => factory.delete(log),
      };
    },
    'deletes a log, and closes its connections with logDeleted()',
  ],
  'keeps what it should delete': [
    () => ({ delete: async () => {} }),
    'makes a log of another id where one was deleted',
  ],
  'deletes all logs': [
    (factory) => ({
      delete: async () => {
        for (const name of await factory.list()) await factory.delete(name);
      },
    }),
    'deletes nothing where there is no such log',
  ],
  'deletes with an error what is not there': [
    (factory) => ({
      delete: async (log) => {
        if (!(await factory.list()).includes(log)) throw logDeleted(log);
        await factory.delete(log);
      },
    }),
    'deletes nothing where there is no such log',
  ],
};

test.each(Object.entries(DEFECTS))('a store factory that %s fails its case', async (_, defect) => {
  const [change, name] = defect;
  const failed: string[] = [];
  for (const { name, run } of storeFactoryContract()) {
    await run(broken(change)).catch(() => failed.push(name));
  }
  expect(failed).toContain(name);
});

test('each case fails for a defect that is its own', () => {
  const named = new Set(Object.values(DEFECTS).map(([, name]) => name));
  expect(NAMES.filter((name) => !named.has(name))).toEqual([]);
  expect(new Set(NAMES).size).toBe(NAMES.length);
});
