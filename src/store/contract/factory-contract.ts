import { isLogDeleted } from '../../base/error.ts';
import { systemClock } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import { TOPICS, logRef } from '../schema.ts';
import type { StoreFactory } from '../store-factory.ts';
import type { RowRef, Store } from '../store.ts';
import { Subject, row } from './contract-case.ts';
import { mustBe, mustEqual, rejectionOf } from './expect.ts';

/** One case of the contract of a `StoreFactory`. */
export interface StoreFactoryContractCase {
  /** The predicate of a sentence that begins with 'a store factory'. */
  readonly name: string;
  /**
   * Runs the case: resolves when the factory passes, and rejects with an `Error` that shows the
   * wrong result when it fails. The case creates logs with new random names, and deletes them.
   */
  readonly run: (factory: StoreFactory) => Promise<void>;
}

/** A factory under test, with two log names that are deleted when the case ends. */
class Logs {
  readonly factory: StoreFactory;
  readonly log: string = newName();
  readonly other: string = newName();

  constructor(factory: StoreFactory) {
    this.factory = factory;
  }

  open(log: string = this.log, clock = systemClock): Promise<Store> {
    return this.factory.open(log, { mustExist: false, clock });
  }

  openExisting(log: string = this.log): Promise<Store> {
    return this.factory.open(log, { mustExist: true, clock: systemClock });
  }
}

function newName(): string {
  return `contract-${randomId()}`;
}

function factoryCase(name: string, check: (logs: Logs) => Promise<void>): StoreFactoryContractCase {
  return {
    name,
    async run(factory) {
      const logs = new Logs(factory);
      try {
        await check(logs);
      } finally {
        for (const log of [logs.log, logs.other]) await factory.delete(log);
      }
    },
  };
}

/**
 * The cases of all that tablog relies on in a `StoreFactory`, apart from the stores that it opens.
 * They run as the cases of `storeContract()` do:
 *
 *     for (const { name, run } of storeFactoryContract()) test(name, () => run(factory));
 */
export function storeFactoryContract(): readonly StoreFactoryContractCase[] {
  return [
    factoryCase('makes a log that is missing, at the time of the clock', async (logs) => {
      const store = await logs.open(logs.log, { ...systemClock, now: () => 12_345 });
      const [made] = await store.read([logRef]);
      store.close();
      mustEqual('the time of its making', made?.createdAt, 12_345);
    }),

    factoryCase('keeps a log and its id from one opening to the next', async (logs) => {
      const first = await logs.open();
      const [before] = await first.read([logRef]);
      await new Subject(first).put('a', 'kept');
      first.close();
      for (const open of [logs.open(), logs.openExisting()]) {
        const store = await open;
        const rows = await store.read([logRef, row('a')]);
        store.close();
        mustEqual('the rows', rows, [before, 'kept']);
      }
    }),

    factoryCase('rejects with logDeleted() where a log must exist and does not', async (logs) => {
      const error = await rejectionOf('open', logs.openExisting());
      mustBe('open rejects with logDeleted()', isLogDeleted(error));
      mustBe('nothing was made', !(await logs.factory.list()).includes(logs.log));
    }),

    factoryCase('has several connections to one log', async (logs) => {
      const [one, other] = await Promise.all([logs.open(), logs.open()]);
      const ref: RowRef<number> = { store: TOPICS, key: 'n' };
      const increments = Array.from({ length: 40 }, (_, i) =>
        (i % 2 === 0 ? one : other).update([ref], ([n = 0], write) => {
          write.put(TOPICS, 'n', n + 1);
          return n;
        }),
      );
      const seen = (await Promise.all(increments)).toSorted((a, b) => a - b);
      mustEqual(
        'the counts',
        seen,
        Array.from({ length: 40 }, (_, i) => i),
      );
      one.close();
      mustBe('closing one leaves the other open', !other.closed.aborted);
      mustEqual('what the other one reads', await other.read([ref]), [40]);
      other.close();
    }),

    factoryCase('gives no partition store to two connections', async (logs) => {
      const stores = await Promise.all([logs.open(), logs.open()]);
      const taken = await Promise.all(
        stores.map((store) => store.updatePartitions([], (_, write) => write.takePartitions(5))),
      );
      for (const store of stores) store.close();
      mustEqual('how many', new Set(taken.flat()).size, 10);
    }),

    factoryCase('keeps two logs apart', async (logs) => {
      const [one, other] = [await logs.open(), await logs.open(logs.other)];
      await new Subject(one).put('a', 1);
      const rows = [await new Subject(other).get('a'), await new Subject(one).get('a')];
      one.close();
      other.close();
      mustEqual('the rows', rows, [undefined, 1]);
    }),

    factoryCase('lists its logs', async (logs) => {
      for (const log of [logs.log, logs.other]) (await logs.open(log)).close();
      const names = await logs.factory.list();
      mustEqual('how often each is listed', timesOf(names, logs), [1, 1]);
      await logs.factory.delete(logs.log);
      const left = await logs.factory.list();
      mustEqual('the same, when one was deleted', timesOf(left, logs), [0, 1]);
    }),

    factoryCase('deletes a log, and closes its connections with logDeleted()', async (logs) => {
      const stores = [await logs.open(), await logs.open()];
      await new Subject(stores[0]!).put('a', 1);
      await logs.factory.delete(logs.log);
      for (const { closed } of stores) {
        mustBe('its connections are closed', closed.aborted);
        mustBe('the reason is logDeleted()', isLogDeleted(closed.reason));
      }
      const again = await logs.open();
      const found = await new Subject(again).get('a');
      again.close();
      mustEqual('what is left of it', found, undefined);
    }),

    factoryCase('makes a log of another id where one was deleted', async (logs) => {
      const ids: unknown[] = [];
      for (let times = 0; times < 2; times++) {
        const store = await logs.open();
        ids.push((await store.read([logRef]))[0]?.logId);
        store.close();
        await logs.factory.delete(logs.log);
      }
      mustBe('the ids differ', ids[0] !== ids[1]);
    }),

    factoryCase('deletes nothing where there is no such log', async (logs) => {
      (await logs.open(logs.other)).close();
      await logs.factory.delete(logs.log);
      mustBe('the other log is there', (await logs.factory.list()).includes(logs.other));
    }),
  ];
}

function timesOf(names: readonly string[], { log, other }: Logs): number[] {
  return [log, other].map((wanted) => names.filter((name) => name === wanted).length);
}
