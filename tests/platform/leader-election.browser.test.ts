import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { LeaderElection } from '../../src/platform/locks/leader-election.ts';
import { ballot } from './ballot.ts';

/** Those who stand for one name, and what they were told. */
function election() {
  const { candidate, ...rest } = ballot();
  const stand = async (who: string): Promise<LeaderElection> => {
    const leadership = candidate(who);
    await leadership.campaign();
    return leadership;
  };
  return { ...rest, candidate, stand };
}

/** How many hold the lock, and how many wait for it. */
async function lockOf(name: string): Promise<{ held: number; pending: number }> {
  const { held = [], pending = [] } = await navigator.locks.query();
  const count = (all: readonly LockInfo[]): number => all.filter((l) => l.name === name).length;
  return { held: count(held), pending: count(pending) };
}

/** Waits until so many hold the lock and wait for it. */
function locked(name: string, held: number, pending: number): Promise<void> {
  return vi.waitFor(async () => expect(await lockOf(name)).toEqual({ held, pending }));
}

/** A worker that has the lock of this name, and does nothing else until it is terminated. */
async function stubbornWorker(name: string, then = ''): Promise<Worker> {
  const source = `navigator.locks.request(${JSON.stringify(name)}, () => {
    postMessage('held');
    ${then}
    return new Promise(() => {});
  });`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  onTestFinished(() => {
    worker.terminate();
    URL.revokeObjectURL(url);
  });
  await new Promise((resolve) => worker.addEventListener('message', resolve, { once: true }));
  return worker;
}

describe('of all who stand', () => {
  test('the first one leads, and the others wait', async () => {
    const { name, told, candidate } = election();
    expect(await candidate('a').campaign()).toBe(true);
    expect(await candidate('b').campaign()).toBe(false);
    expect(await candidate('c').campaign()).toBe(false);
    await locked(name, 1, 2);
    expect(told).toEqual(['a is elected']);
  });

  test('one leads, though they come at once', async () => {
    const { name, told, candidate } = election();
    const leads = await Promise.all(['a', 'b', 'c'].map((who) => candidate(who).campaign()));
    expect(leads.filter(Boolean)).toHaveLength(1);
    await locked(name, 1, 2);
    expect(told).toHaveLength(1);
  });

  test('the next one does when it closes, in the order in which they came', async () => {
    const { name, told, stand } = election();
    const all = [];
    for (const who of ['a', 'b', 'c']) {
      all.push(await stand(who));
      await locked(name, 1, all.length - 1);
    }
    for (const [i, leadership] of all.entries()) {
      await vi.waitFor(() => expect(told).toHaveLength(i + 1));
      leadership.close();
    }
    expect(told).toEqual(['a is elected', 'b is elected', 'c is elected']);
    await locked(name, 0, 0);
  });

  test('the next one does when its worker is gone', async () => {
    const { name, told, stand } = election();
    const worker = await stubbornWorker(name);
    await stand('a');
    expect(told).toEqual([]);
    worker.terminate();
    await vi.waitFor(() => expect(told).toEqual(['a is elected']));
  });
});

describe('one that leads no longer', () => {
  test('is told, and queues again', async () => {
    const { name, told, stand } = election();
    await stand('a');
    const b = await stand('b');
    await locked(name, 1, 1);
    await b.takeOver();
    await vi.waitFor(() => expect(told).toHaveLength(3));
    expect(told.toSorted()).toEqual(['a is deposed', 'a is elected', 'b is elected']);
    await locked(name, 1, 1);
    b.close();
    await vi.waitFor(() => expect(told.at(-1)).toBe('a is elected'));
    await locked(name, 1, 0);
  });

  test('need not answer: one that hangs is deposed at once', async () => {
    const { name, told, stand } = election();
    await stubbornWorker(name, 'for (;;) {}');
    const a = await stand('a');
    await a.takeOver();
    expect(told).toEqual(['a is elected']);
    await locked(name, 1, 0);
  });

  test('may take it back, and be deposed again', async () => {
    const { name, told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    for (const [i, one] of [b, a, b, a].entries()) {
      await one.takeOver();
      await vi.waitFor(() => expect(told).toHaveLength(3 + 2 * i));
      await locked(name, 1, 1);
    }
    const of = (who: string): string[] => told.filter((text) => text.startsWith(who));
    const turn = (who: string): string[] => [`${who} is elected`, `${who} is deposed`];
    expect(of('a')).toEqual([...turn('a'), ...turn('a'), 'a is elected']);
    expect(of('b')).toEqual([...turn('b'), ...turn('b')]);
  });

  test('by several at once: one of them leads in the end, the others wait', async () => {
    const { name, leading, stand } = election();
    await stubbornWorker(name);
    const all = [await stand('a'), await stand('b'), await stand('c')];
    await Promise.all(all.map((one) => one.takeOver()));
    await locked(name, 1, 2);
    await vi.waitFor(() => expect(leading.size).toBe(1));
    for (const [i, who] of ['a', 'b', 'c'].entries()) {
      if (leading.has(who)) all[i]!.close();
    }
    await locked(name, 1, 1);
  });
});

describe('close', () => {
  test.each(['as it asks', 'as it leads'])('%s leaves the lock to others', async (when) => {
    const { name, told, candidate, stand } = election();
    const a = candidate('a');
    const standing = a.campaign();
    if (when === 'as it leads') await standing;
    a.close();
    await standing;
    await locked(name, 0, 0);
    expect(told).toEqual(when === 'as it leads' ? ['a is elected'] : []);
    await stand('b');
    expect(told.at(-1)).toBe('b is elected');
  });

  test('as it waits calls that off', async () => {
    const { name, told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    await locked(name, 1, 1);
    b.close();
    await locked(name, 1, 0);
    a.close();
    a.close();
    await locked(name, 0, 0);
    expect(told).toEqual(['a is elected']);
  });

  test('as it deposes another one leaves it to those who wait', async () => {
    const { name, told, stand } = election();
    await stand('a');
    const b = await stand('b');
    await locked(name, 1, 1);
    const deposing = b.takeOver();
    b.close();
    await deposing;
    await vi.waitFor(() => expect(told.at(-1)).toBe('a is elected'));
    expect(told).not.toContain('b is elected');
    await locked(name, 1, 0);
  });

  test('as it is deposed is an end: it is told nothing, and queues no more', async () => {
    const { name, told, stand } = election();
    const [a, b] = [await stand('a'), await stand('b')];
    const deposing = b.takeOver();
    a.close();
    await deposing;
    await locked(name, 1, 0);
    expect(told).not.toContain('a is deposed');
    expect(told.at(-1)).toBe('b is elected');
  });

  test('before it stands, and after it was deposed, is nothing to the others', async () => {
    const { name, told, candidate, stand } = election();
    candidate('never').close();
    const [a, b] = [await stand('a'), await stand('b')];
    await b.takeOver();
    await vi.waitFor(() => expect(told).toContain('a is deposed'));
    a.close();
    await locked(name, 1, 0);
    expect(told.filter((text) => text.startsWith('b'))).toEqual(['b is elected']);
  });
});

describe('to depose', () => {
  test('is nothing for whoever leads', async () => {
    const { name, told, stand } = election();
    const a = await stand('a');
    await a.takeOver();
    await locked(name, 1, 0);
    expect(told).toEqual(['a is elected']);
  });

  test('is done once, though it is asked for twice', async () => {
    const { name, told, stand } = election();
    await stubbornWorker(name);
    const a = await stand('a');
    await Promise.all([a.takeOver(), a.takeOver()]);
    await locked(name, 1, 0);
    expect(told).toEqual(['a is elected']);
  });
});

test('whatever they do, in the end one leads who was elected and not told of an end', async () => {
  for (let run = 0; run < 20; run++) {
    const { name, leading, candidate } = election();
    const standing = new Map<string, LeaderElection>();
    for (let step = 0; step < 15; step++) {
      const who = 'abc'[Math.floor(Math.random() * 3)]!;
      const one = standing.get(who);
      let done: Promise<unknown> | undefined;
      if (one === undefined) {
        const made = candidate(who);
        standing.set(who, made);
        await made.campaign();
      } else if (Math.random() < 0.7) {
        done = one.takeOver();
      } else {
        one.close();
        standing.delete(who);
        leading.delete(who); // it knows
      }
      if (Math.random() < 0.5) await done;
    }
    const some = standing.size === 0 ? 0 : 1;
    await locked(name, some, standing.size - some);
    await vi.waitFor(() => expect(leading.size).toBe(some));
    for (const who of leading) expect(standing.has(who)).toBe(true);
    for (const one of standing.values()) one.close();
  }
});
