import fc from 'fast-check';

export interface Entry {
  readonly key: string;
  readonly value: string | null;
}

/** What one of the two brokers does. */
export type Step = { readonly broker: number } & (
  | { readonly do: 'append'; readonly entries: readonly Entry[]; readonly gzip: boolean }
  | { readonly do: 'appendMany'; readonly entries: readonly Entry[]; readonly large: boolean }
  | { readonly do: 'fetch' | 'deleteRecords' | 'fit'; readonly at: number }
  | { readonly do: 'compact'; readonly afterMs: number }
  | { readonly do: 'merge' | 'sweep' | 'reopen' }
  /** Both brokers, after the other steps of the turn: for a moment nobody has the log open. */
  | { readonly do: 'reopenAll' }
);

const broker = fc.nat(1);
const entry = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.option(fc.string({ maxLength: 8 }), { freq: 3 }),
});
const entries = fc.array(entry, { minLength: 1, maxLength: 6 });
/** Where in the partition, from 0 to 1. */
const at = fc.nat(100).map((percent) => percent / 100);

const append = { broker, entries, gzip: fc.boolean() };
const appendMany = { broker, entries, large: fc.boolean() };
const compact = { broker, afterMs: fc.constantFrom(0, 400, 1_000) };
const simple = fc.constantFrom('merge', 'sweep', 'reopen', 'reopenAll');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('append'), ...append }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('appendMany'), ...appendMany }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('fetch'), broker, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deleteRecords'), broker, at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fit'), broker, at }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('compact'), ...compact }) },
  { weight: 8, arbitrary: fc.record({ do: simple, broker }) },
);

/** Steps that are taken at the same moment. */
const turn = fc.array(step, { minLength: 1, maxLength: 3 });
export const turns: fc.Arbitrary<Step[][]> = fc.array(turn, { minLength: 1, maxLength: 20 });
