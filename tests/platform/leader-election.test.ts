import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LeaderElection } from '../../src/platform/locks/leader-election.ts';
import { ballot } from './ballot.ts';

// leader-election.browser.test.ts is about Web Locks.

interface Stood {
  readonly leadership: LeaderElection;
  readonly leadsAtOnce: boolean;
}

/** Those who stand for one name, and what they were told. */
function election() {
  const { candidate, ...rest } = ballot();
  const stand = async (who: string): Promise<Stood> => {
    const leadership = candidate(who);
    return { leadership, leadsAtOnce: await leadership.campaign() };
  };
  return { ...rest, candidate, stand };
}

describe('of all who stand', () => {
  test('the first one leads', async () => {
    const { told, stand } = election();
    expect((await stand('a')).leadsAtOnce).toBe(true);
    expect((await stand('b')).leadsAtOnce).toBe(false);
    expect(told).toEqual(['a is elected']);
  });

  test('the next one does when it is gone, in the order in which they came', async () => {
    const { told, stand } = election();
    const all = [await stand('a'), await stand('b'), await stand('c')];
    for (const { leadership } of all) leadership.close();
    expect(told).toEqual(['a is elected', 'b is elected', 'c is elected']);
  });

  test('those who gave up waiting do not', async () => {
    const { told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    await stand('c');
    b.leadership.close();
    a.leadership.close();
    expect(told).toEqual(['a is elected', 'c is elected']);
  });

  test('each name has its own', async () => {
    const [one, other] = [election(), election()];
    expect((await one.stand('a')).leadsAtOnce).toBe(true);
    expect((await other.stand('b')).leadsAtOnce).toBe(true);
  });

  test('and when all are gone, whoever comes next leads', async () => {
    const { told, stand } = election();
    (await stand('a')).leadership.close();
    expect((await stand('b')).leadsAtOnce).toBe(true);
    expect(told).toEqual(['a is elected', 'b is elected']);
  });
});

describe('one that leads no longer', () => {
  test('is told before the other one is', async () => {
    const { told, stand } = election();
    await stand('a');
    const b = await stand('b');
    await b.leadership.takeOver();
    expect(told).toEqual(['a is elected', 'a is deposed', 'b is elected']);
  });

  test('stands again, before those who never led', async () => {
    const { told, stand } = election();
    await stand('a');
    await stand('b');
    const c = await stand('c');
    await c.leadership.takeOver();
    c.leadership.close();
    expect(told.slice(3)).toEqual(['a is elected']);
  });

  test('may take it back', async () => {
    const { told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    await b.leadership.takeOver();
    await a.leadership.takeOver();
    expect(told.slice(3)).toEqual(['b is deposed', 'a is elected']);
  });
});

test('whoever leads deposes nobody', async () => {
  const { told, stand } = election();
  const { leadership } = await stand('a');
  await leadership.takeOver();
  expect(told).toEqual(['a is elected']);
});

describe('close', () => {
  test('before it stands, and twice, is nothing', async () => {
    const { told, candidate, stand } = election();
    const never = candidate('never');
    never.close();
    const { leadership } = await stand('a');
    await stand('b');
    leadership.close();
    leadership.close();
    expect(told).toEqual(['a is elected', 'b is elected']);
  });

  test('of one that was deposed leaves the leader as it is', async () => {
    const { told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    await b.leadership.takeOver();
    a.leadership.close();
    b.leadership.close();
    expect(told).toEqual(['a is elected', 'a is deposed', 'b is elected']);
  });
});

test('whatever they do, one leads as long as anybody stands', async () => {
  const act = fc.record({
    who: fc.nat({ max: 3 }),
    what: fc.constantFrom('stand', 'depose', 'close'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const { leading, candidate } = election();
      const standing = new Map<string, LeaderElection>();
      for (const [i, { who, what }] of acts.entries()) {
        const key = String(who);
        const found = [...standing.keys()].find((name) => name.startsWith(`${key}/`));
        if (what === 'stand' && found === undefined) {
          const leadership = candidate(`${key}/${i}`);
          standing.set(`${key}/${i}`, leadership);
          await leadership.campaign();
        } else if (what === 'depose' && found !== undefined) {
          await standing.get(found)!.takeOver();
          expect([...leading]).toEqual([found]);
        } else if (what === 'close' && found !== undefined) {
          standing.get(found)!.close();
          standing.delete(found);
          leading.delete(found); // it knows
        }
        expect(leading.size).toBe(standing.size === 0 ? 0 : 1);
        for (const name of leading) expect(standing.has(name)).toBe(true);
      }
      for (const leadership of standing.values()) leadership.close();
    }),
  );
});
