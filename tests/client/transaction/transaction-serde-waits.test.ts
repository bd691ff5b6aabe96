import { expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log, Topic, Transaction } from '../../../src/index.ts';
import { loadParts } from '../../support/load-parts.ts';
import { countOf, memoryHost, openTab, readAll } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StubRegistry, needing } from '../../support/stub-registry.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

type Typed = Topic<'t', Uint8Array, string>;

async function logOf(registry: StubRegistry): Promise<{ log: Log; t: Typed; clock: ManualClock }> {
  await loadParts();
  const t = topic('t', { value: needing(registry) }) as unknown as Typed;
  const host = memoryHost();
  const admin = await openTab(host);
  await admin.admin.createTopics([t, 'other']);
  const clock = new ManualClock();
  return { log: openTabWith(clock, host, admin.name), t, clock };
}

test('a transaction waits at its end for what its serdes wait for, and keeps the order', async () => {
  const registry = new StubRegistry('a');
  const { log, t } = await logOf(registry);
  let kept!: Transaction;
  const stored = log.producer().transaction((tx) => {
    kept = tx;
    tx.send(t, { value: 'a:0' });
    tx.send(t, { value: 'b:1' });
    tx.sendBatch(t, [{ value: 'c:2' }, { value: 'a:3' }]);
    return 'done';
  });
  await settle();
  expect(() => kept.send(t, { value: 'a:4' })).toThrow(/INVALID_TXN_STATE/);
  registry.publish('c');
  await settle();
  expect(await countOf(log, 't')).toBe(0);
  registry.publish('b');
  const { result, placements } = await stored;
  expect(result).toBe('done');
  expect(placements.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
  const known = new StubRegistry('a', 'b', 'c');
  const messages = await readAll(log, topic('t', { value: needing(known) }));
  expect(messages.map(({ value }) => value)).toEqual(['a:0', 'b:1', 'c:2', 'a:3']);
});

test('it fails as a whole with SERDE where that fails', async () => {
  const registry = new StubRegistry('a');
  const { log, t } = await logOf(registry);
  const stored = log.producer().transaction((tx) => {
    tx.send('other', { value: 'o' });
    tx.send(t, { value: 'b:0' });
  });
  const failed = expect(stored).rejects.toMatchObject({ code: 'SERDE', details: { topic: 't' } });
  await settle();
  registry.fail('b', new TypeError('Failed to fetch'));
  await failed;
  expect(await countOf(log, 'other')).toBe(0);
});

test('it waits within its transactionTimeoutMs', async () => {
  const registry = new StubRegistry();
  const { log, t, clock } = await logOf(registry);
  const producer = log.producer({ transactionTimeoutMs: 5_000 });
  const stored = producer.transaction((tx) => tx.send(t, { value: 'a:0' }));
  const failed = expect(stored).rejects.toMatchObject({ code: 'TRANSACTION_TIMED_OUT' });
  await settle();
  clock.advance(5_000);
  await failed;
  registry.publish('a');
  await settle();
  expect(await countOf(log, 't')).toBe(0);
});

test('what is encoded at the end counts, and a sendBatch that failed does not', async () => {
  const registry = new StubRegistry('a');
  const { log, t } = await logOf(registry);
  const producer = log.producer({ maxTransactionBytes: 1_000 });
  const large = producer.transaction((tx) => {
    tx.send(t, { value: `b:${'x'.repeat(600)}` });
    tx.send(t, { value: `b:${'x'.repeat(600)}` });
  });
  const failed = expect(large).rejects.toMatchObject({ code: 'TRANSACTION_TOO_LARGE' });
  await settle();
  registry.publish('b');
  await failed;
  const { placements } = await producer.transaction((tx) => {
    const records = [{ value: `c:${'x'.repeat(600)}` }, { value: 5 as never }];
    expect(() => tx.sendBatch(t, records)).toThrow(TypeError);
    tx.send(t, { value: `a:${'x'.repeat(600)}` });
  });
  expect(placements).toHaveLength(1);
  registry.fail('c', new Error('nobody waits for it any more'));
  await settle();
  expect(await countOf(log, 't')).toBe(1);
});
