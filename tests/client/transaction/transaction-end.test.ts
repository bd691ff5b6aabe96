import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log, Producer, Transaction, TransactionOptions } from '../../../src/index.ts';
import {
  Member,
  committed,
  fill,
  joined,
  openStubbed,
  readOne,
} from '../../support/group-fixture.ts';
import { countOf, logWith, memoryHost } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost, stubbedLog } from '../../support/stub-broker.ts';
import { code, open, say, stored } from './transaction-fixture.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

const failure = new Error('no');
const fail = (): never => {
  throw failure;
};

describe('nothing is stored', () => {
  const later = async (then: () => void): Promise<void> => settle().then(then);
  const ABORTED = code('TRANSACTION_ABORTED', { retriable: false });

  test.each<[string, (tx: Transaction) => unknown, object]>([
    ['its function throws', fail, failure],
    ['its function rejects', () => later(fail), failure],
    ['abort() is called', (tx) => tx.abort(), ABORTED],
    ['abort() is called later', (tx) => later(() => tx.abort()), ABORTED],
    [
      'abort() is called before it throws',
      (tx) => {
        tx.abort();
        fail();
      },
      ABORTED,
    ],
    ['a topic does not exist', (tx) => tx.send('no', { value: 'x' }), code('UNKNOWN_TOPIC')],
    [
      'a partition does not exist',
      (tx) => tx.send('out', { value: 'x', partition: 7 }),
      RangeError,
    ],
    [
      'a record is too large',
      (tx) => tx.send('small', { value: 'x'.repeat(11) }),
      code('RECORD_TOO_LARGE'),
    ],
    ['a record is none', (tx) => tx.send('out', { value: undefined as never }), TypeError],
    ['a timestamp is none', (tx) => tx.send('out', { value: 'x', timestamp: -1 }), RangeError],
    ['a text has no UTF-8', (tx) => tx.send('out', { value: '\ud800' }), TypeError],
    ['it is no topic', (tx) => tx.send(5 as never, { value: null }), TypeError],
    ['it is no array', (tx) => tx.sendBatch('out', {} as never), TypeError],
  ])('when %s', async (_, work, error) => {
    const log = await logWith('t', 'out', topic('small', { maxRecordBytes: 10 }));
    await fill(log, 3);
    const { consumer } = new Member(log);
    await readOne(consumer);
    let signal: AbortSignal | undefined;
    const running = log.producer().transaction((tx) => {
      ({ signal } = tx);
      tx.send('out', { value: 'a' });
      tx.commitOffsets(consumer);
      return work(tx);
    });
    await (typeof error === 'function'
      ? expect(running).rejects.toBeInstanceOf(error)
      : expect(running).rejects.toMatchObject(error));
    expect(signal!.aborted).toBe(true);
    expect(await countOf(log, 'out')).toBe(0);
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('when a partitioner throws', async () => {
    const log = await logWith('out');
    const partitioner = ({ value }: { readonly value: unknown }): number => {
      if (value === 'b') throw failure;
      return 0;
    };
    const running = log
      .producer({ partitioner })
      .transaction((tx) => tx.sendBatch('out', [{ value: 'a' }, { value: 'b' }]));
    await expect(running).rejects.toBe(failure);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('when it is not given a function', async () => {
    const producer = (await logWith()).producer();
    for (const work of [undefined, null, {}, 'work']) {
      await expect(producer.transaction(work as never)).rejects.toBeInstanceOf(TypeError);
    }
  });

  test('and the next transaction is, though a topic was made meanwhile or is another one', async () => {
    const log = await logWith('out');
    const producer = log.producer();
    const send = (): Promise<unknown> =>
      producer.transaction((tx) => tx.sendBatch('new', [{ value: 'a' }]));
    await expect(send()).rejects.toMatchObject(
      code('UNKNOWN_TOPIC', { details: { topic: 'new' } }),
    );
    await log.admin.createTopics(['new']);
    await send();
    await log.admin.deleteTopics(['new']);
    await expect(send()).rejects.toMatchObject(code('UNKNOWN_TOPIC'));
    await log.admin.createTopics(['new']);
    await send();
    expect(await countOf(log, 'new')).toBe(1);
  });

  test('of a record that was refused and caught; the rest is', async () => {
    const log = await logWith('out');
    await log.producer().transaction((tx) => {
      tx.send('out', { value: 'a' });
      expect(() => tx.send('out', { value: undefined as never })).toThrow(TypeError);
      expect(() => tx.sendBatch('out', [{ value: 'b' }, { value: 5 as never }])).toThrow(TypeError);
      tx.send('out', { value: 'c' });
    });
    expect(await stored(log)).toEqual(['a', 'c']); // a batch is taken whole or not at all, as elsewhere
  });
});

describe('transactionTimeoutMs', () => {
  async function timed(
    host = memoryHost(),
  ): Promise<{ log: Log; clock: ManualClock; producer: Producer }> {
    const clock = new ManualClock();
    const log = openTabWith(clock, host);
    await log.admin.createTopics(['out']);
    return { log, clock, producer: log.producer({ transactionTimeoutMs: 1000 }) };
  }

  test('ends a transaction that is open for longer, and says so at once', async () => {
    const { log, clock, producer } = await timed();
    const { begun, end, over } = open(producer, (tx) => tx.send('out', { value: 'a' }));
    const tx = await begun;
    clock.advance(999);
    expect(tx.signal.aborted).toBe(false);
    clock.advance(1);
    expect(tx.signal.aborted).toBe(true);
    expect(tx.signal.reason).toMatchObject(code('TRANSACTION_TIMED_OUT'));
    await expect(over).rejects.toMatchObject(
      code('TRANSACTION_TIMED_OUT', { retriable: true, details: { transactionTimeoutMs: 1000 } }),
    );
    const late = code('INVALID_TXN_STATE', { cause: tx.signal.reason });
    const again = (): void => tx.send('out', { value: 'b' });
    for (const call of [again, () => tx.abort()]) {
      expect(call).toThrow(expect.objectContaining(late));
    }
    end();
    await settle();
    expect(await countOf(log, 'out')).toBe(0);
    await say(producer, 'c');
    expect(await stored(log)).toEqual(['c']);
  });

  test('is 60 s by default', async () => {
    const { log, clock } = await timed();
    const { begun, over } = open(log.producer());
    await begun;
    clock.advance(59_999);
    expect((await begun).signal.aborted).toBe(false);
    clock.advance(1);
    await expect(over).rejects.toMatchObject(code('TRANSACTION_TIMED_OUT'));
  });

  test('has passed also where the tab slept, and its timer is late', async () => {
    const { log, clock, producer } = await timed();
    const running = producer.transaction((tx) => {
      tx.send('out', { value: 'a' });
      clock.sleep(3_600_000);
    });
    await expect(running).rejects.toMatchObject(code('TRANSACTION_TIMED_OUT'));
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('does not count what comes after its function, and leaves no timer behind', async () => {
    const host = stubHost();
    const { log, clock, producer } = await timed(host);
    const gate = host.hold('transact');
    const sent = ['a', 'b'].map((value) => say(producer, value));
    await gate.arrived(1);
    clock.advance(5000);
    gate.open();
    await Promise.all(sent);
    await producer.transaction(fail).catch(() => {});
    expect(clock.timers).toBe(0);
    expect(await stored(log)).toEqual(['a', 'b']);
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

describe('after its end', () => {
  test.each<[string, (tx: Transaction) => unknown, unknown]>([
    ['stored', (tx) => tx.send('out', { value: 'a' }), undefined],
    ['aborted', (tx) => tx.abort(), expect.objectContaining({ code: 'TRANSACTION_ABORTED' })],
    ['failed', fail, failure],
  ])('(%s) nothing can be added', async (_, work, cause) => {
    const log = await logWith('out');
    const { consumer } = await joined(log, { topics: ['out'] });
    const producer = log.producer();
    let late!: Transaction;
    await producer
      .transaction((tx) => {
        late = tx;
        return work(tx);
      })
      .catch(() => {});
    const count = await countOf(log, 'out');
    const calls = [
      () => late.send('out', { value: 'b' }),
      () => late.sendBatch('out', [{ value: 'b' }]),
      () => late.commitOffsets(consumer),
      () => late.abort(),
    ];
    for (const call of calls) {
      const error = thrownBy(call);
      expect(error).toMatchObject(code('INVALID_TXN_STATE', { retriable: false }));
      expect((error as Error).cause).toEqual(cause);
    }
    expect(late.signal.aborted).toBe(true);
    await producer.transaction(() => {});
    expect(await countOf(log, 'out')).toBe(count);
  });
});

describe('a producer that closes', () => {
  const CLOSED = code('CLOSED');

  test('ends the transactions that are open', async () => {
    const log = await logWith('out');
    const producer = log.producer();
    const { begun, end, over } = open(producer, (tx) => tx.send('out', { value: 'a' }));
    const tx = await begun;
    await producer.close();
    await expect(over).rejects.toMatchObject(CLOSED);
    expect(tx.signal.reason).toMatchObject(CLOSED);
    expect(() => tx.send('out', { value: 'b' })).toThrow(
      expect.objectContaining(code('INVALID_TXN_STATE', { cause: tx.signal.reason })),
    );
    end();
    await settle();
    expect(await countOf(log, 'out')).toBe(0);
    await expect(producer.transaction(() => {})).rejects.toMatchObject(CLOSED);
  });

  test.each(['the producer', 'the log'])(
    'waits for those that are being stored: %s',
    async (what) => {
      const { log, stubbed, host } = await openStubbed('out');
      const producer = stubbed.producer();
      const gate = host.hold('transact');
      const sent = ['a', 'b'].map((value) => say(producer, value));
      await gate.arrived(1);
      let closed = false;
      const closing = (what === 'the log' ? stubbed : producer).close().then(() => (closed = true));
      await settle();
      expect(closed).toBe(false);
      gate.open();
      await Promise.all(sent);
      await closing;
      expect(await stored(log)).toEqual(['a', 'b']);
    },
  );

  test('begins none that was waiting for its id', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    const producer = stubbed.producer({ transactionalId: 'billing' });
    const gate = host.hold('initProducer');
    let began = false;
    const running = producer.transaction((tx) => {
      began = true;
      tx.send('out', { value: 'a' });
    });
    running.catch(() => {});
    await gate.arrived(1);
    await producer.close();
    gate.open();
    await expect(running).rejects.toMatchObject(CLOSED);
    expect(began).toBe(false);
    expect(await countOf(log, 'out')).toBe(0);
  });
});

describe('a signal', () => {
  const reason = new Error('not wanted');
  const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

  test('that has aborted: the function is not called', async () => {
    const log = await logWith('out');
    let isCalled = false;
    const signal = AbortSignal.abort(reason);
    const running = log.producer().transaction(() => (isCalled = true), { signal });
    await expect(running).rejects.toBe(reason);
    expect(isCalled).toBe(false);
  });

  test('aborts it while its function runs: nothing is stored', async () => {
    const log = await logWith('out');
    const aborting = new AbortController();
    const { signal } = aborting;
    let tx!: Transaction;
    const running = log.producer().transaction(
      async (given) => {
        tx = given;
        tx.send('out', { value: 'a' });
        await settle();
        aborting.abort(reason);
        await settle();
      },
      { signal },
    );
    await expect(running).rejects.toBe(reason);
    expect(tx.signal.aborted).toBe(true);
    expect(tx.signal.reason).toBe(reason);
    expect(() => tx.send('out', { value: 'b' })).toThrow(/INVALID_TXN_STATE/);
    expect(await countOf(log, 'out')).toBe(0);
    expect(listeners(signal)).toBe(0);
  });

  test('withdraws one that waits for its turn, and no other', async () => {
    const { log, host } = await stubbedLog('out');
    const gate = host.hold('transact');
    const producer = log.producer();
    const aborting = new AbortController();
    const { signal } = aborting;
    const run = (value: string, options?: TransactionOptions): Promise<unknown> =>
      producer.transaction((tx) => tx.send('out', { value }), options);
    const first = run('a');
    await gate.arrived(1);
    const second = run('b', { signal });
    const third = run('c');
    await settle();
    aborting.abort(reason);
    gate.open();
    await expect(second).rejects.toBe(reason);
    await Promise.all([first, third]);
    expect(await stored(log)).toEqual(['a', 'c']);
    expect(listeners(signal)).toBe(0);
  });

  test('has no effect on what is with the worker: the promise tells what becomes of it', async () => {
    const { log, host } = await stubbedLog('out');
    const gate = host.hold('transact');
    const aborting = new AbortController();
    const { signal } = aborting;
    const running = log.producer().transaction((tx) => tx.send('out', { value: 'a' }), { signal });
    await gate.arrived(1);
    aborting.abort(reason);
    gate.open();
    expect(await running).toMatchObject({ placements: [{ offset: 0 }] });
    expect(await stored(log)).toEqual(['a']);
    expect(listeners(signal)).toBe(0);
  });

  test('is left without a listener, whatever becomes of the transaction', async () => {
    const producer = (await logWith('out')).producer();
    const { signal } = new AbortController();
    await producer.transaction((tx) => tx.send('out', { value: 'a' }), { signal });
    await expect(producer.transaction(fail, { signal })).rejects.toBe(failure);
    expect(listeners(signal)).toBe(0);
  });
});
