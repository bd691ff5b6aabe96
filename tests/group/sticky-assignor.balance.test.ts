import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { all, assignTo, candidatesOf, sticky } from './assign.ts';
import type { Wishes } from './assign.ts';
import { descending, fromLayout, loadsOf, movedBetween } from './layout.ts';
import type { Layout } from './layout.ts';

const MEMBERS = ['a', 'b', 'c', 'd'];
const TOPICS = ['t1', 't2', 't3'];

interface Group {
  readonly wishes: Wishes;
  readonly before: Layout;
  readonly hidden: readonly string[];
}

const anyWishes: fc.Arbitrary<Wishes> = fc
  .array(fc.subarray(TOPICS), { minLength: 1, maxLength: MEMBERS.length })
  .map((wants) => Object.fromEntries(wants.map((topics, i) => [MEMBERS[i]!, topics])));
const equalWishes: fc.Arbitrary<Wishes> = fc
  .integer({ min: 1, max: MEMBERS.length })
  .map((count) => all(MEMBERS.slice(0, count), ...TOPICS));
/** Three partitions a topic at most, with owners that need be no members. */
const anyLayout: fc.Arbitrary<Layout> = fc
  .tuple(
    ...TOPICS.map(() => fc.array(fc.constantFrom('-', ...MEMBERS), { minLength: 1, maxLength: 3 })),
  )
  .map((rows) => Object.fromEntries(rows.map((row, i) => [TOPICS[i]!, row.join(' ')])));
const groupsWith = (wishes: fc.Arbitrary<Wishes>): fc.Arbitrary<Group> =>
  fc.record({ wishes, before: anyLayout, hidden: fc.subarray(MEMBERS) });
const anyGroup = groupsWith(anyWishes);
const equalGroup = groupsWith(equalWishes);

const assigned = ({ wishes, before, hidden }: Group): Layout => sticky(wishes, before, hidden);
const holds = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void): void => {
  fc.assert(fc.property(arbitrary, check), { numRuns: 300 });
};

test('each partition that somebody wants goes to somebody who wants it', () => {
  holds(anyGroup, (group) => {
    for (const { topic, owner } of fromLayout(assigned(group))) {
      const takers = Object.keys(group.wishes).filter((id) => group.wishes[id]!.includes(topic));
      expect([null, ...takers]).toContain(owner);
      expect(owner === null).toBe(takers.length === 0);
    }
  });
});

test('no other assignment is better balanced', () => {
  holds(anyGroup, (group) => {
    const loads = loadsOf(assigned(group), Object.keys(group.wishes));
    expect(loads.sort(descending)).toEqual(bestOf(group).loads);
  });
});

test('what is in balance stays as it is', () => {
  holds(anyGroup, (group) => {
    const once = assigned(group);
    expect(assigned({ ...group, before: once })).toEqual(once);
  });
});

test('the order of the candidates does not matter', () => {
  const shuffled = anyGroup.chain((group) => {
    const candidates = candidatesOf(group.wishes, group.hidden);
    return fc.record({
      group: fc.constant(group),
      candidates: fc.shuffledSubarray(candidates, { minLength: candidates.length }),
    });
  });
  holds(shuffled, ({ group, candidates }) => {
    expect(assignTo('sticky', candidates, group.before)).toEqual(assigned(group));
  });
});

describe('where all want the same', () => {
  test('nobody has two more than another', () => {
    holds(equalGroup, (group) => {
      const loads = loadsOf(assigned(group), Object.keys(group.wishes));
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
    });
  });

  test('no fewer moves make the balance', () => {
    holds(equalGroup, (group) => {
      const present = onlyHeldBy(group.before, Object.keys(group.wishes));
      expect(movedBetween(present, assigned(group))).toBe(bestOf(group).moves);
    });
  });

  test('when one leaves, what the others have stays', () => {
    const leaving = equalGroup.filter(({ wishes }) => Object.keys(wishes).length > 1);
    holds(leaving, (group) => {
      const before = assigned(group);
      const { a: _, ...wishes } = group.wishes;
      const after = assigned({ ...group, wishes, before });
      expect(movedBetween(onlyHeldBy(before, Object.keys(wishes)), after)).toBe(0);
    });
  });

  test('when one joins, it alone gets something, and no more than its share', () => {
    holds(equalGroup, (group) => {
      const before = assigned(group);
      const members = [...Object.keys(group.wishes), 'new'];
      const after = assigned({ ...group, wishes: { ...group.wishes, new: TOPICS }, before });
      const share = Math.floor(fromLayout(before).length / members.length);
      expect(loadsOf(after, ['new'])).toEqual([share]);
      expect(movedBetween(before, after)).toBe(share);
    });
  });
});

/** `layout` as if nobody else had anything. */
function onlyHeldBy(layout: Layout, members: readonly string[]): Layout {
  const rows = Object.entries(layout).map(([topic, row]) => {
    const names = row.split(' ').map((name) => (members.includes(name) ? name : '-'));
    return [topic, names.join(' ')] as const;
  });
  return Object.fromEntries(rows);
}

/** The best there is, by trying everything: even loads first, then few moves. */
function bestOf({ wishes, before }: Group): { loads: number[]; moves: number } {
  const members = Object.keys(wishes);
  const load = new Map(members.map((memberId) => [memberId, 0]));
  const places = fromLayout(before);
  let best: { loads: number[]; moves: number } | undefined;
  const tryFrom = (i: number, moves: number): void => {
    const place = places[i];
    if (place === undefined) {
      const loads = [...load.values()].sort(descending);
      const order = best === undefined ? -1 : compare(loads, best.loads);
      if (order < 0 || (order === 0 && moves < best!.moves)) best = { loads, moves };
      return;
    }
    const takers = members.filter((memberId) => wishes[memberId]!.includes(place.topic));
    if (takers.length === 0) tryFrom(i + 1, moves);
    const stays = takers.find((memberId) => memberId === place.owner);
    for (const taker of takers) {
      load.set(taker, load.get(taker)! + 1);
      tryFrom(i + 1, moves + (stays === undefined || stays === taker ? 0 : 1));
      load.set(taker, load.get(taker)! - 1);
    }
  };
  tryFrom(0, 0);
  return best!;
}

/** Which of two lists of loads is lower at the first difference. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((load, i) => load !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
