import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLOSED, STORAGE_UNAVAILABLE } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import {
  OFFSETS,
  PRODUCERS,
  TOPICS,
  logRef,
  partitionStore,
  poolRef,
} from '../../src/store/schema.ts';
import type { PoolRow } from '../../src/store/schema.ts';
import type { Key, RowRef, Store } from '../../src/store/store.ts';
import { segmentsContract } from './segments-contract.ts';

/** What every `Store` promises (src/store/store.ts). `open` makes a new, empty one each time. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const row = (key: Key, table = TOPICS): RowRef<unknown> => ({ store: table, key });
    const get = async (key: Key, table = TOPICS): Promise<unknown> =>
      (await store.read([row(key, table)]))[0];
    const pool = async (): Promise<PoolRow> => (await store.read([poolRef]))[0]!;
    const put = (key: Key, value: unknown, table = TOPICS): Promise<void> =>
      store.update([row(key, table)], (_, write) => write.put(table, key, value));

    test('is born with its log row and a pool of 64 free partition stores', async () => {
      const [log] = await store.read([logRef]);
      expect(log).toEqual({
        format: 1,
        logId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        createdAt: expect.any(Number),
        maxBytes: null,
      });
      expect(await pool()).toEqual({
        size: 64,
        free: Array.from({ length: 64 }, (_, i) => i),
        version: 0,
      });
    });

    test('reads what was put, and undefined where nothing is', async () => {
      await put('a', { n: 1 });
      await put('b', 'two', OFFSETS);
      expect(await store.read([row('b', OFFSETS), row('none'), row('a')])).toEqual([
        'two',
        undefined,
        { n: 1 },
      ]);
    });

    test('overwrites, deletes, and clears one store without the others', async () => {
      await put('a', 1);
      await put('a', 2);
      await put('b', 3);
      await put('kept', 4, PRODUCERS);
      expect(await store.readAll(TOPICS)).toEqual([2, 3]);
      await store.update([row('a')], (_, write) => write.delete(TOPICS, 'a'));
      expect(await store.readAll(TOPICS)).toEqual([3]);
      await store.update([row('a')], (_, write) => write.clear(TOPICS));
      expect(await store.readAll(TOPICS)).toEqual([]);
      expect(await get('kept', PRODUCERS)).toBe(4);
    });

    test('applies the writes of one update in their order', async () => {
      await put('old', 0);
      await store.update([row('a')], (_, write) => {
        write.put(TOPICS, 'a', 1);
        write.clear(TOPICS);
        write.put(TOPICS, 'a', 2);
        write.put(TOPICS, 'b', 3);
        write.delete(TOPICS, 'b');
      });
      expect(await store.readAll(TOPICS)).toEqual([2]);
    });

    test('takes arrays as keys, and reads all rows in the order of their keys', async () => {
      await put(['billing', 'topic', 1], 'second', OFFSETS);
      await put(['billing', 'topic', 0], 'first', OFFSETS);
      await put(['shop', 'topic', 0], 'third', OFFSETS);
      expect(await get(['billing', 'topic', 1], OFFSETS)).toBe('second');
      expect(await get(['billing', 'topic', 2], OFFSETS)).toBeUndefined();
      expect(await store.readAll(OFFSETS)).toEqual(['first', 'second', 'third']);
    });

    test('hands the rows to decide and its result to the caller', async () => {
      await put('a', 20);
      const sum = await store.update(
        [row('a') as RowRef<number>, row('none') as RowRef<number>],
        ([a, none]) => (a ?? 0) + (none ?? 1),
      );
      expect(sum).toBe(21);
    });

    test('writes nothing when decide throws, and rejects with what it threw', async () => {
      await put('a', 'before');
      const error = new TypeError('decided against it');
      const update = store.update([row('a'), row('a', OFFSETS)], (_, write) => {
        write.put(TOPICS, 'a', 'after');
        write.put(OFFSETS, 'a', 'after');
        write.clear(TOPICS);
        throw error;
      });
      expect(await update.catch((caught: unknown) => caught)).toBe(error);
      expect(await store.readAll(TOPICS)).toEqual(['before']);
      expect(await store.readAll(OFFSETS)).toEqual([]);
    });

    test('refuses a write into a store of which no row was read, and writes nothing', async () => {
      const update = store.update([row('a')], (_, write) => {
        write.put(TOPICS, 'a', 1);
        write.put(OFFSETS, 'a', 1);
      });
      await expect(update).rejects.toThrow();
      expect(await store.readAll(TOPICS)).toEqual([]);
      expect(await store.readAll(OFFSETS)).toEqual([]);
    });

    test('shares no value with its callers', async () => {
      const bytes = new Uint8Array([1, 2, 3]);
      const value = { bytes: bytes.buffer, list: ['a'] };
      const written = put('a', value);
      await written;
      bytes[0] = 9;
      value.list.push('b');
      const first = (await get('a')) as typeof value;
      expect(first).toEqual({ bytes: new Uint8Array([1, 2, 3]).buffer, list: ['a'] });
      new Uint8Array(first.bytes)[1] = 9;
      first.list.push('c');
      expect(await get('a')).toEqual({ bytes: new Uint8Array([1, 2, 3]).buffer, list: ['a'] });
      await store.update([row('a') as RowRef<typeof value>], ([found]) => {
        found!.list.push('d');
      });
      expect(await store.readAll(TOPICS)).toEqual([
        { bytes: new Uint8Array([1, 2, 3]).buffer, list: ['a'] },
      ]);
    });

    test('runs concurrent updates one after the other', async () => {
      const increment = (): Promise<number> =>
        store.update([row('n') as RowRef<number>], ([n = 0], write) => {
          write.put(TOPICS, 'n', n + 1);
          return n + 1;
        });
      const counts = await Promise.all(Array.from({ length: 50 }, increment));
      expect(counts).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
      expect(await get('n')).toBe(50);
    });

    test('reads several rows as of one moment', async () => {
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
        expect(a + b).toBe(0);
      }
    });

    test('extends the pool by stores that are listed and can be used', async () => {
      await put('kept', 1);
      await store.extendPool();
      const { size, free } = await pool();
      expect(size).toBe(128);
      expect(free).toEqual(Array.from({ length: 128 }, (_, i) => i));
      await put('head', 'new', partitionStore(127));
      expect(await get('head', partitionStore(127))).toBe('new');
      expect(await get('kept')).toBe(1);
    });

    test('extends the pool while others read and write', async () => {
      await Promise.all([put('a', 1), store.extendPool(), put('b', 2)]);
      expect(await store.readAll(TOPICS)).toEqual([1, 2]);
      expect(await pool()).toMatchObject({ size: 128 });
    });

    test('extends the pool for two who ask at once', async () => {
      await Promise.all([store.extendPool(), store.extendPool()]);
      const { size, free } = await pool();
      expect(free).toEqual(Array.from({ length: size }, (_, i) => i));
      await put('head', 'new', partitionStore(127));
      expect(store.closed.aborted).toBe(false);
    });

    test('is open until it is closed, with CLOSED or the reason given', async () => {
      expect(store.closed.aborted).toBe(false);
      store.close();
      expect(store.closed.reason).toMatchObject({ code: CLOSED.code });
      expect(store.closed.reason).toBeInstanceOf(TablogError);
      const other = await open();
      const reason = new TablogError(STORAGE_UNAVAILABLE, 'a test says so');
      other.close(reason);
      other.close();
      expect(other.closed.reason).toBe(reason);
      await expect(other.readAll(TOPICS)).rejects.toBe(reason);
    });

    test('settles what is in flight when it is closed, and refuses what comes later', async () => {
      const written = put('a', 1);
      const read = store.readAll(TOPICS);
      store.close();
      await Promise.all([written, read]);
      const later = [
        () => get('a'),
        () => store.readAll(TOPICS),
        () => store.readSegments([{ store: partitionStore(0), from: 0, maxBytes: 1 }]),
        () => put('a', 2),
        () => store.extendPool(),
      ];
      for (const call of later) await expect(call()).rejects.toMatchObject({ code: CLOSED.code });
    });

    segmentsContract(() => store);
  });
}
