import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Log } from '../../src/index.ts';
import { settle } from '../support/waiting.ts';
import { World } from '../support/world.ts';

/** The targets to which anything has listened since the call, to count what still does. */
function heardTargets(): ReadonlyMap<EventTarget, ReadonlySet<string>> {
  const targets = new Map<EventTarget, Set<string>>();
  const add = Reflect.get(EventTarget.prototype, 'addEventListener') as (
    ...args: unknown[]
  ) => void;
  const spy = vi.spyOn(EventTarget.prototype, 'addEventListener');
  spy.mockImplementation(function (this: EventTarget, type, listener, options) {
    const types = targets.get(this) ?? new Set();
    targets.set(this, types.add(type));
    add.call(this, type, listener, options);
  });
  onTestFinished(() => spy.mockRestore());
  return targets;
}

/** The listeners of what lives on: a signal that has aborted calls nobody, and holds nobody. */
function listeners(targets: ReadonlyMap<EventTarget, ReadonlySet<string>>): number {
  let sum = 0;
  for (const [target, types] of targets) {
    if (target instanceof AbortSignal && target.aborted) continue;
    for (const type of types) sum += getEventListeners(target, type).length;
  }
  return sum;
}

const KINDS: readonly (readonly [string, (log: Log) => Promise<void>])[] = [
  [
    'producer',
    async (log) => {
      const producer = log.producer({ lingerMs: 0 });
      await producer.send('orders', { value: 'v' });
      await producer.close();
    },
  ],
  [
    'consumer',
    async (log) => {
      const consumer = log.consumer({ topics: ['orders'], from: 'earliest' });
      for await (const _ of consumer) break;
      await consumer.close();
    },
  ],
  [
    'member of a group',
    async (log) => {
      const consumer = log.consumer({ topics: ['orders'], group: 'g', from: 'earliest' });
      await consumer.ready;
      await consumer.close();
    },
  ],
];

describe('opened and closed a hundred times', () => {
  test.each(KINDS)('a %s leaves neither listeners nor timers behind', async (_, openAndClose) => {
    const targets = heardTargets();
    const world = new World();
    const { log } = await world.openTab({}, 'orders');
    await log.producer().send('orders', { value: 'v' });
    const round = async (times: number): Promise<readonly [listeners: number, timers: number]> => {
      for (let i = 0; i < times; i++) await world.passing(openAndClose(log));
      await settle();
      return [listeners(targets), world.clock.timers];
    };
    const [before, timers] = await round(5);
    expect(targets.size).toBeGreaterThan(0);
    expect(await round(100)).toEqual([before, timers]);
  });
});
