import { describe, expectTypeOf, test } from 'vitest';
import { json, string, table, topic } from '../../src/index.ts';
import type { Log, Table, TableChange, TableOf, TableSnapshot } from '../../src/index.ts';

interface Price {
  amount: number;
}

declare const log: Log;
const prices = topic('prices', { key: string(), value: json<Price>() });

/** React's, as far as its types matter. */
declare function useSyncExternalStore<S>(
  subscribe: (onStoreChange: () => void) => () => void,
  getSnapshot: () => S,
): S;

/** Svelte's, as far as its types matter. */
interface Readable<T> {
  subscribe(this: void, run: (value: T) => void, invalidate?: () => void): () => void;
}

describe('table', () => {
  test('has the keys and values of its topic', () => {
    const latest = table(log, prices);
    expectTypeOf(latest).toEqualTypeOf<Table<string, Price, string>>();
    expectTypeOf<TableOf<typeof prices>>().toEqualTypeOf<typeof latest>();
    expectTypeOf(latest.get('a')).toEqualTypeOf<Price | undefined>();
    expectTypeOf([...latest]).toEqualTypeOf<[string, Price][]>();
    expectTypeOf([...latest.keys()]).toEqualTypeOf<string[]>();
    expectTypeOf(latest.snapshot()).toEqualTypeOf<TableSnapshot<string, Price, string>>();
    // @ts-expect-error no key of it
    latest.get(5);
    expectTypeOf(latest).not.toHaveProperty('set');
  });

  test('of a plain name is asked by bytes or text, and gives bytes', () => {
    const latest = table(log, 'plain');
    latest.get('a');
    latest.has(new Uint8Array(1));
    expectTypeOf(latest.keys()).toEqualTypeOf<IterableIterator<Uint8Array>>();
    expectTypeOf(latest.get('a')).toEqualTypeOf<Uint8Array | undefined>();
    const keyless = table(log, topic('t', { value: json<Price>() }));
    expectTypeOf(keyless.get('a')).toEqualTypeOf<Price | undefined>();
  });

  test('is what React and Svelte take', () => {
    const latest = table(log, prices);
    const snapshot = useSyncExternalStore(latest.subscribe, latest.snapshot);
    expectTypeOf(snapshot.get('a')).toEqualTypeOf<Price | undefined>();
    expectTypeOf(latest).toExtend<Readable<TableSnapshot<string, Price, string>>>();
    latest.subscribe((_, changes) => {
      expectTypeOf(changes).toEqualTypeOf<readonly TableChange<string, Price>[]>();
    });
  });

  test('refuses what it does not know', () => {
    // @ts-expect-error a pattern
    table(log, /prices/);
    // @ts-expect-error a misspelt option
    table(log, prices, { mustExists: true });
    // @ts-expect-error no log
    table('shop', prices);
  });
});
