import { FORMAT_VERSION, OFFSETS, PRODUCERS, TOPICS, logRef, topicsVersionRef } from '../schema.ts';
import type { RowRef } from '../store.ts';
import { contractCase, row } from './contract-case.ts';
import type { StoreContractCase } from './contract-case.ts';
import { mustBe, mustEqual, rejectionOf } from './expect.ts';

/** The cases of `read`, `readAll` and `update`. */
export function rowsContract(): readonly StoreContractCase[] {
  return [
    contractCase('is born with its log row, and with topics of version 0', async ({ store }) => {
      const [log, topics] = await store.read([logRef, topicsVersionRef]);
      mustBe('the log has an id', typeof log?.logId === 'string' && log.logId.length >= 16);
      mustBe('the log has a time of its making', Number.isFinite(log?.createdAt));
      const { logId, createdAt } = log!;
      const format = FORMAT_VERSION;
      mustEqual('the log row', log, { format, logId, createdAt, maxBytes: null });
      mustEqual("the topics' version", topics?.version, 0);
    }),

    contractCase('has another id in each log', async ({ store }, open) => {
      const other = await open();
      const rows = [await store.read([logRef]), await other.read([logRef])];
      other.close();
      const [one, another] = rows.map(([log]) => log?.logId);
      mustBe('two logs have two ids', one !== another);
    }),

    contractCase('reads what was put, and undefined where nothing is', async (subject) => {
      await subject.put('a', { n: 1 });
      await subject.put('b', 'two', OFFSETS);
      const found = await subject.store.read([row('b', OFFSETS), row('none'), row('a')]);
      mustEqual('the rows', found, ['two', undefined, { n: 1 }]);
    }),

    contractCase(
      'overwrites, deletes, and clears one store without the others',
      async (subject) => {
        const { store } = subject;
        await subject.put('a', 1);
        await subject.put('a', 2);
        await subject.put('b', 3);
        await subject.put('kept', 4, PRODUCERS);
        mustEqual('the rows after an overwrite', await subject.all(), [2, 3]);
        await store.update([row('a')], (_, write) => write.delete(TOPICS, 'a'));
        mustEqual('the rows after a deletion', await subject.all(), [3]);
        await store.update([row('a')], (_, write) => write.clear(TOPICS));
        mustEqual('the rows after clear()', await subject.all(), []);
        mustEqual('the row of another store', await subject.get('kept', PRODUCERS), 4);
      },
    ),

    contractCase('reads no rows, and decides by none', async ({ store }) => {
      mustEqual('the rows', await store.read([]), []);
      mustEqual('the segments', await store.readSegments([]), []);
      mustEqual('the decision', await store.update([], (rows) => rows.length), 0);
    }),

    contractCase('applies the writes of one update in their order', async (subject) => {
      await subject.put('old', 0);
      await subject.store.update([row('a')], (_, write) => {
        write.put(TOPICS, 'a', 1);
        write.clear(TOPICS);
        write.put(TOPICS, 'a', 2);
        write.put(TOPICS, 'b', 3);
        write.delete(TOPICS, 'b');
      });
      mustEqual('the rows', await subject.all(), [2]);
    }),

    contractCase('reads all rows of a store in the order of their keys', async (subject) => {
      for (const key of ['b', 'a', 'B', 'aa']) await subject.put(key, key);
      mustEqual('the rows', await subject.all(), ['B', 'a', 'aa', 'b']);
    }),

    contractCase('takes arrays as keys', async (subject) => {
      await subject.put(['billing', 'topic', 1], 'second', OFFSETS);
      await subject.put(['billing', 'topic', 0], 'first', OFFSETS);
      await subject.put(['shop', 'topic', 0], 'third', OFFSETS);
      mustEqual('a row', await subject.get(['billing', 'topic', 1], OFFSETS), 'second');
      mustEqual('no row', await subject.get(['billing', 'topic', 2], OFFSETS), undefined);
      mustEqual('the rows', await subject.all(OFFSETS), ['first', 'second', 'third']);
    }),

    contractCase('keeps values of every kind that tablog stores', async (subject) => {
      const value = {
        text: 'ü😀',
        number: -1.5,
        large: Number.MAX_SAFE_INTEGER,
        yes: true,
        none: null,
        missing: undefined,
        nested: { list: [1, ['two'], { three: 3 }], empty: {} },
        buffer: Uint8Array.of(0, 1, 255).buffer,
        numbers: Float64Array.of(1.5, -Infinity),
        patterns: [/^a+$/giu],
      };
      await subject.put('a', value);
      mustEqual('the value', await subject.get('a'), value);
      await subject.put('a', 'a text');
      mustEqual('a text', await subject.get('a'), 'a text');
    }),

    contractCase('hands the rows to decide, and its result to the caller', async (subject) => {
      await subject.put('a', 20);
      const refs = [row('a') as RowRef<number>, row('none') as RowRef<number>] as const;
      const sum = await subject.store.update(refs, ([a, none]) => (a ?? 0) + (none ?? 1));
      mustEqual('the result', sum, 21);
    }),

    contractCase('writes nothing when decide throws, and rejects with that', async (subject) => {
      await subject.put('a', 'before');
      const error = new TypeError('decided against it');
      const update = subject.store.update([row('a'), row('a', OFFSETS)], (_, write) => {
        write.put(TOPICS, 'a', 'after');
        write.put(OFFSETS, 'a', 'after');
        write.clear(TOPICS);
        throw error;
      });
      const thrown = await rejectionOf('the update', update);
      mustBe('the update rejects with what decide threw', thrown === error);
      mustEqual('the rows', await subject.all(), ['before']);
      mustEqual('the rows of the other store', await subject.all(OFFSETS), []);
    }),

    contractCase('refuses a write into a store of which no row was read', async (subject) => {
      const update = subject.store.update([row('a')], (_, write) => {
        write.put(TOPICS, 'a', 1);
        write.put(OFFSETS, 'a', 1);
      });
      await rejectionOf('the update', update);
      mustEqual('the rows', await subject.all(), []);
      mustEqual('the rows of the other store', await subject.all(OFFSETS), []);
    }),

    contractCase('shares no value with its callers', async (subject) => {
      const bytes = new Uint8Array([1, 2, 3]);
      const value = { bytes: bytes.buffer, list: ['a'] };
      const wanted = { bytes: new Uint8Array([1, 2, 3]).buffer, list: ['a'] };
      await subject.put('a', value);
      bytes[0] = 9;
      value.list.push('b');
      const first = (await subject.get('a')) as typeof value;
      mustEqual('the value, after the caller has changed what it put', first, wanted);
      new Uint8Array(first.bytes)[1] = 9;
      first.list.push('c');
      mustEqual('the value, after a reader has changed it', await subject.get('a'), wanted);
      await subject.store.update([row('a') as RowRef<typeof value>], ([found]) => {
        found!.list.push('d');
      });
      mustEqual('the value, after decide has changed it', await subject.all(), [wanted]);
      const [all] = (await subject.all()) as (typeof value)[];
      all!.list.push('e');
      const again = [await subject.get('a'), ...(await subject.all())];
      mustEqual('the value, after a reader of all has changed it', again, [wanted, wanted]);
    }),

    contractCase('takes a copy at the time of the put', async (subject) => {
      const value = { list: ['a'] };
      await subject.store.update([row('a')], (_, write) => {
        write.put(TOPICS, 'a', value);
        value.list.push('b');
      });
      const found = await subject.get('a');
      mustEqual('the value', found, { list: ['a'] });
    }),

    contractCase('runs concurrent updates one after the other', async (subject) => {
      const increment = (): Promise<number> =>
        subject.store.update([row('n') as RowRef<number>], ([n = 0], write) => {
          write.put(TOPICS, 'n', n + 1);
          return n + 1;
        });
      const counts = await Promise.all(Array.from({ length: 50 }, increment));
      const wanted = Array.from({ length: 50 }, (_, i) => i + 1);
      mustEqual('the counts', counts, wanted);
      mustEqual('the row', await subject.get('n'), 50);
    }),

    contractCase('reads several rows as of one moment', async (subject) => {
      const { store } = subject;
      const move = (a: number): Promise<void> =>
        store.update([row('a'), row('b', OFFSETS)], (_, write) => {
          write.put(TOPICS, 'a', a);
          write.put(OFFSETS, 'b', -a);
        });
      const read = (): Promise<unknown> => store.read([row('a'), row('b', OFFSETS)]);
      const work = Array.from({ length: 20 }, (_, i) => [move(i + 1), read()]).flat();
      for (const found of await Promise.all(work)) {
        if (found === undefined) continue;
        const [a = 0, b = 0] = found as [number?, number?];
        mustEqual('the sum of both rows', a + b, 0);
      }
    }),

    contractCase('stores with either durability', async (subject) => {
      for (const durability of ['relaxed', 'strict'] as const) {
        const put = subject.store.update(
          [row(durability)],
          (_, write) => write.put(TOPICS, durability, durability),
          { durability },
        );
        await put;
      }
      mustEqual('the rows', await subject.all(), ['relaxed', 'strict']);
    }),
  ];
}
