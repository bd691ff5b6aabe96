import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openLog, string, table, topic } from '../../../src/index.ts';
import type { Log, Table } from '../../../src/index.ts';
import { compactingHost, until } from './table-fixture.ts';
import { runsOf } from '../../support/seeds.ts';

const RUNS = runsOf(60);

type Step =
  | { readonly kind: 'send'; readonly key: string; readonly value: string | null }
  | { readonly kind: 'compact' | 'open' | 'listen' | 'look' };

const KEYS = ['a', 'b', 'c', 'é', ''];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      key: fc.constantFrom(...KEYS),
      value: fc.option(fc.string({ maxLength: 3 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('compact', 'open', 'listen', 'look') }),
  },
);

/** A table, and what has been seen of it. */
class Watched {
  readonly table: Table<string, string>;
  /** Made of the changes alone. */
  readonly #replayed = new Map<string, string>();
  readonly #snapshots: (readonly [Table<string, string>['snapshot'], Map<string, string>])[] = [];

  constructor(watched: Table<string, string>) {
    this.table = watched;
    let isFirst = true;
    watched.subscribe((snapshot, changes) => {
      if (isFirst) for (const [key, value] of snapshot) this.#replayed.set(key, value);
      isFirst = false;
      for (const { key, value, oldValue } of changes) {
        expect(this.#replayed.get(key)).toBe(oldValue);
        if (value === undefined) this.#replayed.delete(key);
        else this.#replayed.set(key, value);
      }
      expect(new Map(snapshot)).toEqual(this.#replayed);
      expect(watched.snapshot()).toBe(snapshot);
      this.#snapshots.push([() => snapshot, new Map(this.#replayed)]);
    });
  }

  /** Each snapshot is what it was. */
  check(): void {
    for (const [snapshot, then] of this.#snapshots) {
      expect(snapshot().size).toBe(then.size);
      for (const key of KEYS) expect(snapshot().get(key)).toBe(then.get(key));
      expect(new Map(snapshot())).toEqual(then);
    }
  }
}

test('tables agree with a Map, whatever was sent and compacted, and whenever they were made', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), walk),
    { numRuns: RUNS, plugins: [fc.timeout(5_000)] },
  );
});

async function walk(steps: readonly Step[], partitions: number): Promise<void> {
  const t = topic('t', { key: string(), value: string(), partitions, cleanup: 'compact' });
  const host = compactingHost();
  const logs: Log[] = [];
  const open = async (): Promise<Log> => {
    const log = await openLog('walk', { host });
    logs.push(log);
    return log;
  };
  const model = new Map<string, string>();
  const isModel = (latest: Table<string, string>): boolean =>
    latest.size === model.size && [...model].every(([key, value]) => latest.get(key) === value);
  try {
    const log = await open();
    await log.admin.createTopics([t]);
    const producer = log.producer();
    const tables = [new Watched(table(log, t))];
    for (const { kind, ...given } of steps) {
      if (kind === 'send') {
        const { key, value } = given as Extract<Step, { kind: 'send' }>;
        await producer.send(t, { key, value });
        if (value === null) model.delete(key);
        else model.set(key, value);
      } else if (kind === 'compact' || kind === 'look') {
        // Tombstones go when everybody has seen them: that is what `deleteRetentionMs` is for.
        await Promise.all(tables.map((each) => until(each.table, isModel)));
        if (kind === 'compact') await host.compact('t');
      } else {
        const made = table(kind === 'open' ? await open() : log, t);
        await made.ready;
        expect(new Map(made)).toEqual(model);
        tables.push(new Watched(made));
      }
    }
    await Promise.all(tables.map(({ table: { ready } }) => ready));
    await Promise.all(tables.map((each) => until(each.table, isModel)));
    for (const each of tables) each.check();
  } finally {
    await Promise.all(logs.map((log) => log.close()));
  }
}
