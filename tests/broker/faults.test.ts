import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_FULL, STORAGE_UNAVAILABLE } from '../../src/base/error-rules.ts';
import { deferred } from '../../src/base/deferred.ts';
import { TablogError } from '../../src/base/error.ts';
import { batch, valuesOf } from '../support/broker-fixture.ts';
import type { Fault } from '../support/fault-store.ts';
import { idle } from '../support/waiting.ts';
import { log, orders, shop, stored, useShop } from './shop.ts';

const full = new TablogError(STORAGE_FULL, 'no room');
const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');
const unknown = new TablogError(OUTCOME_UNKNOWN, 'a write was cut off');

useShop();

describe('a write that fails', () => {
  test('is told, and nothing is stored', async () => {
    shop.connection.failNext({ error: full });
    expect(await shop.produce(orders, batch('a'))).toMatchObject({ error: { ...STORAGE_FULL } });
    expect(await stored()).toEqual([]);
    expect(await shop.append(orders, 'b')).toBe(0);
    expect(await shop.readAll(orders)).toEqual(['b']);
  });

  test('fails all that shared its transaction, and none that came after', async () => {
    const gate = deferred();
    shop.connection.failNext({ until: gate.promise }, { error: full });
    const first = shop.append(orders, 'a');
    await idle();
    const group = ['b', 'c'].map((value) => shop.produce(orders, batch(value)));
    await idle();
    gate.resolve();
    expect(await first).toBe(0);
    expect(await Promise.all(group)).toMatchObject([
      { error: { code: 'STORAGE_FULL' } },
      { error: { code: 'STORAGE_FULL' } },
    ]);
    expect(await shop.append(orders, 'd')).toBe(1);
    expect(await stored()).toEqual(['a', 'd']);
  });

  test('wakes nobody who waits', async () => {
    const fetched = shop.fetch(orders, { maxWaitMs: 1_000 });
    await idle();
    shop.connection.failNext({ error: full });
    await shop.produce(orders, batch('a'));
    await shop.append(orders, 'b');
    expect(valuesOf(await fetched)).toEqual(['b']);
  });

  test.each([false, true])('of unknown outcome is told as such (stored: %s)', async (happened) => {
    shop.connection.failNext({ error: unknown, stored: happened, closes: gone });
    expect(await shop.produce(orders, batch('a'))).toMatchObject({ error: { ...OUTCOME_UNKNOWN } });
    await shop.append(orders, 'b');
    expect(await stored()).toEqual(happened ? ['a', 'b'] : ['b']);
    expect(await shop.readAll(orders)).toEqual(await stored());
  });

  test('that hangs and is then given up settles all that wait behind it', async () => {
    const gate = deferred();
    shop.connection.failNext({ until: gate.promise, error: unknown, closes: gone });
    const hung = shop.produce(orders, batch('a'));
    await idle();
    const behind = ['b', 'c'].map((value) => shop.append(orders, value));
    await idle();
    gate.resolve();
    expect(await hung).toMatchObject({ error: { code: 'OUTCOME_UNKNOWN' } });
    expect(await Promise.all(behind)).toEqual([0, 1]);
    expect(await stored()).toEqual(['b', 'c']);
  });
});

describe('whatever goes wrong', () => {
  const fault: fc.Arbitrary<Fault> = fc.constantFrom<Fault>(
    {},
    { error: full },
    { error: gone, closes: gone },
    { error: unknown, stored: true, closes: gone },
    { error: unknown, stored: false, closes: gone },
    { stored: true, closes: gone },
  );

  test('what is acknowledged is stored once, and what is refused is not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 8 }), async (faults) => {
        const topic = await shop.create(`topic-${crypto.randomUUID()}`);
        shop.connection.failNext(...faults);
        const outcomes = new Map<string, number | string>();
        const values = Array.from({ length: 20 }, (_, i) => String(i));
        await Promise.all(
          values.map(async (value, i) => {
            for (let turns = i % 5; turns > 0; turns--) await idle();
            const result = await shop.produce(topic, batch(value));
            outcomes.set(value, 'error' in result ? result.error.code : result.baseOffset);
          }),
        );
        const found = await log.broker().readAll(topic);
        expect(new Set(found).size).toBe(found.length);
        for (const [value, outcome] of outcomes) {
          if (typeof outcome === 'number') expect(found[outcome]).toBe(value);
          else if (outcome !== OUTCOME_UNKNOWN.code) expect(found).not.toContain(value);
        }
        expect(outcomes.size).toBe(values.length);
        await shop.broker.deleteTopics([topic.name]);
      }),
      { numRuns: 60 },
    );
  });
});
