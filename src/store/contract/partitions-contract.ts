import { HEAD_KEY, TOPICS, logRef, partitionStore, topicsVersionRef } from '../schema.ts';
import type { Store } from '../store.ts';
import { contractCase, row } from './contract-case.ts';
import type { StoreContractCase } from './contract-case.ts';
import { mustBe, mustEqual, rejectionOf } from './expect.ts';

/** More partition stores than a store is likely to create in advance. */
const MANY = 150;

/** The cases of `updatePartitions`. */
export function partitionsContract(): readonly StoreContractCase[] {
  return [
    contractCase('gives as many partition stores as are wanted, each once', async ({ store }) => {
      const numbers = [await take(store, 1), await take(store, MANY), await take(store, 3)].flat();
      mustEqual('how many', new Set(numbers).size, MANY + 4);
      const heads = numbers.map((number) => row(HEAD_KEY, partitionStore(number)));
      mustEqual('their heads', await store.read(heads), numbers.map(String));
    }),

    contractCase('gives partition stores that are empty', async (subject) => {
      const { store } = subject;
      const numbers = await store.updatePartitions([row('a')], (_, write) =>
        write.takePartitions(5),
      );
      const requests = numbers.map((number) => ({
        store: partitionStore(number),
        from: 0,
        maxBytes: 1,
      }));
      const empty = { head: undefined, segments: [], nextBaseOffset: undefined };
      mustEqual(
        'what is in them',
        await store.readSegments(requests),
        requests.map(() => empty),
      );
    }),

    contractCase(
      'gives the partition stores of several takes in one transaction',
      async ({ store }) => {
        const [one, other] = await store.updatePartitions([row('a')], (_, write) => {
          const taken = [write.takePartitions(3), write.takePartitions(2)] as const;
          for (const number of taken.flat()) write.put(partitionStore(number), HEAD_KEY, number);
          write.put(TOPICS, 'a', taken.flat());
          return taken;
        });
        const all = [...one, ...other];
        mustEqual('how many', [one.length, other.length, new Set(all).size], [3, 2, 5]);
        const heads = all.map((number) => row(HEAD_KEY, partitionStore(number)));
        mustEqual('their heads', await store.read(heads), all);
        mustEqual('the row that was put with them', await store.read([row('a')]), [all]);
      },
    ),

    contractCase('hands the rows to a decide that takes partition stores', async (subject) => {
      await subject.put('a', 'here');
      const found = await subject.store.updatePartitions([row('a'), row('none')], (rows, write) => {
        write.takePartitions(MANY);
        return [...rows];
      });
      mustEqual('the rows', found, ['here', undefined]);
    }),

    contractCase('gives partition stores while others read and write', async (subject) => {
      const { store } = subject;
      await Promise.all([subject.put('a', 1), take(store, MANY), subject.put('b', 2)]);
      mustEqual('the rows', await subject.all(), [1, 2]);
      mustBe('the store is open', !store.closed.aborted);
    }),

    contractCase('gives no partition store to two who take at once', async ({ store }) => {
      const taken = await Promise.all([take(store, MANY), take(store, MANY), take(store, 1)]);
      mustEqual('how many', new Set(taken.flat()).size, 2 * MANY + 1);
      mustBe('the store is open', !store.closed.aborted);
    }),

    contractCase('deletes the rows of partition stores that it gets back', async ({ store }) => {
      const [gone, kept] = (await take(store, 2)) as [number, number];
      await putSegment(store, gone);
      await putSegment(store, kept);
      await free(store, [gone]);
      const requests = [gone, kept].map((number) => ({
        store: partitionStore(number),
        from: 0,
        maxBytes: 1,
      }));
      const [freed, other] = await store.readSegments(requests);
      mustEqual('what is left', freed, {
        head: undefined,
        segments: [],
        nextBaseOffset: undefined,
      });
      mustEqual('what is in the other one', other!.segments.length, 1);
      const again = await take(store, 2);
      mustBe('one that is in use is not given again', !again.includes(kept));
    }),

    contractCase(
      'raises the version of the topics when told, once a transaction',
      async ({ store }) => {
        const version = async (): Promise<unknown> =>
          (await store.read([topicsVersionRef]))[0]?.version;
        await store.updatePartitions([row('a')], (_, write) => {
          write.topicsChanged();
          write.takePartitions(1);
          write.topicsChanged();
        });
        mustEqual('the version after a change', await version(), 1);
        const [number] = await take(store, 1);
        await store.update([row('a')], (_, write) => write.put(TOPICS, 'a', 1));
        mustEqual('the version after other writes', await version(), 1);
        await store.updatePartitions([row(HEAD_KEY, partitionStore(number!))], (_, write) => {
          write.freePartitions([number!]);
          write.topicsChanged();
        });
        mustEqual('the version after the next change', await version(), 2);
      },
    ),

    contractCase(
      'changes no topics and no partition stores when decide throws',
      async (subject) => {
        const { store } = subject;
        const [number] = await take(store, 1);
        const head = row(HEAD_KEY, partitionStore(number!));
        const error = new TypeError('decided against it');
        const update = store.updatePartitions([row('a'), head], (_, write) => {
          write.put(TOPICS, 'a', 1);
          write.takePartitions(MANY);
          write.freePartitions([number!]);
          write.topicsChanged();
          throw error;
        });
        mustBe('it rejects with what was thrown', (await rejectionOf('it', update)) === error);
        const [found, topics] = await store.read([head, topicsVersionRef]);
        mustEqual('the head, and the version', [found, topics?.version], [String(number), 0]);
        mustEqual('the rows', await subject.all(), []);
        mustBe('its store stays taken', !(await take(store, MANY)).includes(number!));
      },
    ),

    contractCase('keeps the log row when partition stores are taken', async ({ store }) => {
      const [before] = await store.read([logRef]);
      await take(store, MANY);
      mustEqual('the log row', await store.read([logRef]), [before]);
    }),
  ];
}

/** Takes partition stores, and puts a head into each, as the creation of a topic does. */
function take(store: Store, count: number): Promise<readonly number[]> {
  return store.updatePartitions([row('none')], (_, write) => {
    const numbers = write.takePartitions(count);
    for (const number of numbers) write.put(partitionStore(number), HEAD_KEY, String(number));
    return numbers;
  });
}

function free(store: Store, numbers: readonly number[]): Promise<void> {
  const heads = numbers.map((number) => row(HEAD_KEY, partitionStore(number)));
  return store.updatePartitions(heads, (_, write) => write.freePartitions(numbers));
}

function putSegment(store: Store, number: number): Promise<void> {
  const name = partitionStore(number);
  return store.update([row(HEAD_KEY, name)], (_, write) => write.put(name, 0, new ArrayBuffer(8)));
}
