import { describe, expect, test } from 'vitest';
import { STORAGE_TIMEOUT } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { Diagnostics, failedCall, failureOf } from '../../../src/broker/diagnostics/diagnostics.ts';
import { ObservedStore } from '../../../src/broker/diagnostics/observed-store.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { logRef } from '../../../src/store/schema.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const NOW = { waitingFetches: 1, transactionsInFlight: 2, transactions: 3 };

function make(clock: ManualClock = new ManualClock()): Diagnostics {
  return new Diagnostics({ clock, brokerId: () => 'b', host: 'shared', clients: () => 4 });
}

describe('the ring buffer', () => {
  test('has what was recorded, in order, with the time and what the broker is now', () => {
    const clock = new ManualClock(1000);
    const diagnostics = make(clock);
    clock.advance(5);
    diagnostics.record('clientConnected', { clientId: 'c' });
    clock.advance(5);
    expect(diagnostics.read(NOW)).toEqual({
      broker: { brokerId: 'b', host: 'shared', uptimeMs: 10, clients: 4, ...NOW },
      entries: [
        { timestamp: 1000, kind: 'brokerStarted', details: { host: 'shared' } },
        { timestamp: 1005, kind: 'clientConnected', details: { clientId: 'c' } },
      ],
      droppedEntries: 0,
    });
  });

  test('keeps the newest 500 entries, and tells how many it dropped', () => {
    const diagnostics = make();
    for (let ms = 1; ms <= 1000; ms++) diagnostics.record('cleaned', { ms });
    const { entries, droppedEntries } = diagnostics.read(NOW);
    expect(entries.map(({ details }) => details['ms'])).toEqual(
      Array.from({ length: 500 }, (_, i) => 501 + i),
    );
    expect(droppedEntries).toBe(501);
  });

  test('is bounded in bytes, with the longest names that there are', () => {
    const diagnostics = make();
    const long = 'x'.repeat(100_000);
    for (let i = 0; i < 500; i++) {
      const error = new TablogError(STORAGE_TIMEOUT, long);
      diagnostics.record('callFailed', {
        method: 'produce',
        group: long.slice(0, 200),
        ...failureOf(error),
      });
    }
    const { entries } = diagnostics.read(NOW);
    expect(entries.length).toBeGreaterThan(150);
    expect(JSON.stringify(entries).length).toBeLessThan(200 * 1024);
  });

  test('what was read does not change with later entries', () => {
    const diagnostics = make();
    const { entries } = diagnostics.read(NOW);
    diagnostics.record('cleaned', { ms: 1 });
    expect(entries).toHaveLength(1);
  });
});

describe('a store that is observed', () => {
  function observed(): {
    clock: ManualClock;
    inner: FaultStore;
    store: ObservedStore;
    read: () => unknown[];
  } {
    const clock = new ManualClock();
    const inner = new FaultStore(openMemoryStore(clock.now()));
    const diagnostics = make(clock);
    const store = new ObservedStore(inner, clock, diagnostics);
    const read = (): unknown[] =>
      diagnostics
        .read(NOW)
        .entries.slice(1)
        .map(({ kind, details }) => [kind, details]);
    return { clock, inner, store, read };
  }

  test('counts its transactions, and records none that is fast', async () => {
    const { store, read } = observed();
    const reading = store.read([logRef]);
    expect(store.counts).toEqual({ transactionsInFlight: 1, transactions: 1 });
    await reading;
    await store.update([logRef], () => 0);
    expect(store.counts).toEqual({ transactionsInFlight: 0, transactions: 2 });
    expect(read()).toEqual([]);
  });

  test('records a slow transaction, with its stores', async () => {
    const { clock, inner, store, read } = observed();
    let open!: () => void;
    inner.failNext({ answered: new Promise<void>((resolve) => (open = resolve)) });
    const written = store.update([logRef, logRef], () => 0);
    clock.advance(1_000);
    open();
    await written;
    expect(read()).toEqual([['transactionSlow', { ms: 1_000, mode: 'write', stores: 'meta' }]]);
  });

  test('records a failure of the storage, and passes the error on', async () => {
    const { inner, store, read } = observed();
    const error = new TablogError(STORAGE_TIMEOUT, 'it hangs');
    inner.failNextRead({ error });
    await expect(store.read([logRef])).rejects.toBe(error);
    const failed = {
      ms: 0,
      mode: 'read',
      stores: 'meta',
      code: 'STORAGE_TIMEOUT',
      message: 'it hangs',
    };
    expect(read()).toEqual([['transactionFailed', failed]]);
  });

  test('takes the refusal of a call for no failure', async () => {
    const { store, read } = observed();
    const refusal = new TablogError({ ...STORAGE_TIMEOUT, code: 'FENCED' }, 'another has it');
    const writing = store.update([logRef], () => {
      throw refusal;
    });
    await expect(writing).rejects.toBe(refusal);
    expect(read()).toEqual([]);
  });
});

test('a call of somebody who was replaced is fenced, any other has failed', () => {
  const fenced = new TablogError({ ...STORAGE_TIMEOUT, code: 'FENCED', outcome: 'fenced' }, 'late');
  expect(failedCall('commitOffsets', fenced)[0]).toBe('fenced');
  expect(failedCall('fetch', new TablogError(STORAGE_TIMEOUT, 'late'))).toEqual([
    'callFailed',
    { method: 'fetch', code: 'STORAGE_TIMEOUT', message: 'late' },
  ]);
});
