import { describe, expect, test } from 'vitest';
import { string, topic } from '../../src/index.ts';
import type {
  Consumer,
  Log,
  Message,
  Producer,
  TablogError,
  Transaction,
} from '../../src/index.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import {
  Member,
  committed,
  eventually,
  fill,
  four,
  joined,
  latch,
  openStubbed,
  openTabs,
  readOne,
  reading,
  storeHost,
} from '../support/group-fixture.ts';
import {
  countOf,
  logWith,
  memoryHost,
  openTab,
  openTwoTabs,
  readAll,
  settle,
  texts,
} from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { stubHost } from '../support/stub-broker.ts';
import { expel, openTabWith } from './run-fixture.ts';

const out = topic('out', { value: string(), partitions: 2 });
const manual = { commit: 'manual' } as const;

const code = (name: string, rest: object = {}): object => ({ code: name, ...rest });
const stored = async (log: Log): Promise<unknown> => texts(await readAll(log, 'out'));

/** Topics 't' and 'out', with records '0', '1' and so on in the one partition of 't'. */
async function chain(count = 3): Promise<Log> {
  const log = await logWith('t', 'out');
  await fill(log, count);
  return log;
}

/** Consume, transform, produce. */
function copy(producer: Producer, consumer: Consumer, ...messages: Message[]): Promise<unknown> {
  return producer.transaction((tx) => {
    tx.sendBatch('out', messages.map(asRecord));
    tx.commitOffsets(consumer);
  });
}

function asRecord({ partition, offset }: Message): { value: string } {
  return { value: `${partition}@${offset}` };
}

/** The next messages of a loop that is not left: the last one is in hand. */
async function readSome(consumer: Consumer, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  const iterator = consumer[Symbol.asyncIterator]();
  while (messages.length < count) messages.push((await iterator.next()).value as Message);
  return messages;
}

/** A transaction that stays open until the test lets its function return. */
function open(
  producer: Producer,
  work: (tx: Transaction) => void = () => {},
): {
  readonly begun: Promise<Transaction>;
  readonly end: () => void;
  readonly over: Promise<unknown>;
} {
  const gate = latch();
  let over!: Promise<unknown>;
  const begun = new Promise<Transaction>((resolve) => {
    over = producer.transaction(async (tx) => {
      work(tx);
      resolve(tx);
      await gate.opened;
    });
  });
  over.catch(() => {}); // a test that expects it looks
  return { begun, end: gate.open, over };
}

describe('a transaction', () => {
  test('stores records of several topics and the offsets of a consumer together', async () => {
    const log = await chain();
    const producer = log.producer();
    const consumer = log.consumer({ topics: ['t'], group: 'g', from: 'earliest' });
    for await (const message of consumer) {
      const { result, placements } = await producer.transaction((tx) => {
        tx.send('out', { value: `${message.offset}`, partition: 0 });
        tx.commitOffsets(consumer);
        return 'done';
      });
      expect(result).toBe('done');
      expect(placements).toMatchObject([{ topic: 'out', partition: 0, offset: message.offset }]);
      expect(await committed(log)).toEqual({ 't/0': message.offset + 1 });
      if (message.offset === 2) break;
    }
    expect(await stored(log)).toEqual(['0', '1', '2']);
  });

  test('tells the place of each record, in the order in which they were sent', async () => {
    const log = await logWith(out, 'audit');
    const producer = log.producer();
    await producer.send(out, { value: 'x', partition: 1 });
    const { placements } = await producer.transaction(async (tx) => {
      tx.send(out, { value: 'a', partition: 1, timestamp: 1 });
      tx.send('audit', { value: 'b', timestamp: 2 });
      await settle();
      tx.sendBatch(out, [
        { value: 'c', partition: 0, timestamp: 3 },
        { value: 'd', partition: 1, timestamp: 4 },
      ]);
      tx.send('audit', { value: 'e', timestamp: 5 });
    });
    const at = (
      topicName: string,
      partition: number,
      offset: number,
      timestamp: number,
    ): object => ({
      topic: topicName,
      partition,
      offset,
      timestamp,
    });
    expect(placements).toEqual([
      at('out', 1, 1, 1),
      at('audit', 0, 0, 2),
      at('out', 0, 0, 3),
      at('out', 1, 2, 4),
      at('audit', 0, 1, 5),
    ]);
    expect(await stored(log)).toEqual(['c', 'x', 'a', 'd']);
    expect(texts(await readAll(log, 'audit'))).toEqual(['b', 'e']);
  });

  test('is one request, and nothing is sent before its function has returned', async () => {
    const host = stubHost();
    const log = await openTab(host);
    await log.admin.createTopics([out]);
    const { begun, end, over } = open(log.producer(), (tx) =>
      tx.sendBatch(out, [
        { value: 'a', partition: 0 },
        { value: 'b', partition: 1 },
      ]),
    );
    expect((await begun).signal.aborted).toBe(false);
    await settle();
    expect(host.requests('transact')).toEqual([]);
    expect(await countOf(log, out)).toBe(0);
    end();
    await over;
    expect(host.requests('transact')).toHaveLength(1);
    expect(await countOf(log, out)).toBe(2);
  });

  test('of nothing sends nothing, and has the result of its function', async () => {
    const host = stubHost();
    const producer = (await openTab(host)).producer();
    const nothing = { result: 5, placements: [] };
    expect(await producer.transaction(async () => 5)).toEqual(nothing);
    expect(host.requests('transact')).toEqual([]);
  });

  test('takes bytes as they are at the call', async () => {
    const log = await logWith('out');
    const value = new TextEncoder().encode('a');
    await log.producer().transaction(async (tx) => {
      tx.send('out', { value });
      value.fill(0);
      await settle();
    });
    expect(await stored(log)).toEqual(['a']);
  });

  test('compresses its batches when asked to', async () => {
    const host = stubHost();
    const log = await openTab(host);
    await log.admin.createTopics(['out']);
    const value = 'x'.repeat(10_000);
    await log.producer({ compression: 'gzip' }).transaction((tx) => tx.send('out', { value }));
    expect(await stored(log)).toEqual([value]);
    expect((await log.admin.describeTopic('out')).partitions[0]!.bytes).toBeLessThan(1000);
  });

  test('tells the time of the append, where the topic has that', async () => {
    const log = await logWith(topic('out', { timestampType: 'append' }));
    const { placements } = await log
      .producer()
      .transaction((tx) => tx.send('out', { value: 'a', timestamp: 1 }));
    const [message] = await readAll(log, 'out');
    expect(message!.timestamp).toBeGreaterThan(1);
    expect(placements).toMatchObject([{ timestamp: message!.timestamp }]);
  });

  test('is of a producer like others: records sent beside it are not part of it', async () => {
    const log = await logWith('out');
    const producer = log.producer();
    const { begun, end, over } = open(producer, (tx) => tx.send('out', { value: 'b' }));
    await begun;
    await producer.send('out', { value: 'a' });
    end();
    await over;
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('waits for its turn: several side by side are stored in the order in which they end', async () => {
    const log = await logWith('out');
    const producer = log.producer();
    const opened = ['a', 'b', 'c', 'd'].map((value) =>
      open(producer, (tx) => tx.sendBatch('out', [{ value }, { value }])),
    );
    for (const { begun } of opened) await begun;
    for (const i of [2, 0, 3, 1]) {
      opened[i]!.end();
      await settle();
    }
    await Promise.all(opened.map(({ over }) => over));
    expect(await stored(log)).toEqual(['c', 'c', 'a', 'a', 'd', 'd', 'b', 'b']);
  });

  test('beside others that fail is stored all the same', async () => {
    const log = await logWith('out');
    const producer = log.producer();
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        producer.transaction((tx) => {
          tx.send('out', { value: String(i) });
          if (i % 4 === 1) tx.send('no such topic', { value: 'x' });
          if (i % 4 === 2) tx.abort();
        }),
      ),
    );
    const done = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [String(i)] : []));
    expect(done).toEqual(
      Array.from({ length: 20 }, (_, i) => i)
        .filter((i) => i % 4 === 0 || i % 4 === 3)
        .map(String),
    );
    expect(await stored(log)).toEqual(done);
  });

  test('sees partitions that were added without a word of it', async () => {
    const { host } = storeHost();
    const clock = new ManualClock();
    const mine = openTabWith(clock, host, 'mine'); // the names differ, so neither hears the other
    const other = await openTab(host, 'other');
    await other.admin.createTopics([out]);
    const producer = mine.producer();
    await producer.transaction((tx) => tx.send('out', { value: 'a', partition: 1 }));
    await other.admin.addPartitions('out', 3);
    clock.advance(30_000);
    await producer.transaction((tx) => tx.send('out', { value: 'b', partition: 2 }));
    expect(await stored(other)).toEqual(['a', 'b']);
  });
});

describe('nothing is stored', () => {
  const failure = new Error('no');
  const later = async (then: () => void): Promise<void> => settle().then(then);
  const ABORTED = code('TRANSACTION_ABORTED', { retriable: false });

  test.each<[string, (tx: Transaction) => unknown, object]>([
    [
      'its function throws',
      () => {
        throw failure;
      },
      failure,
    ],
    [
      'its function rejects',
      () =>
        later(() => {
          throw failure;
        }),
      failure,
    ],
    ['abort() is called', (tx) => tx.abort(), ABORTED],
    ['abort() is called later', (tx) => later(() => tx.abort()), ABORTED],
    [
      'abort() is called before it throws',
      (tx) => {
        tx.abort();
        throw failure;
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

describe('maxTransactionBytes', () => {
  test('bounds what is in it; what fits is stored', async () => {
    const log = await logWith('out');
    const producer = log.producer({ maxTransactionBytes: 1000 });
    await producer.transaction((tx) => {
      tx.send('out', { value: 'a'.repeat(400) });
      for (let i = 0; i < 2; i++) {
        expect(() => tx.send('out', { value: 'b'.repeat(600) })).toThrow(
          expect.objectContaining(
            code('TRANSACTION_TOO_LARGE', {
              details: { bytes: expect.any(Number), maxBytes: 1000 },
            }),
          ),
        );
      }
      tx.send('out', { value: 'c'.repeat(400) });
    });
    expect(await stored(log)).toEqual(['a'.repeat(400), 'c'.repeat(400)]);
  });

  test('is counted in bytes, over all topics, and told', async () => {
    const log = await logWith('out', 't');
    const producer = log.producer({ maxTransactionBytes: 1000 });
    const error = await producer
      .transaction((tx) => {
        tx.send('t', { value: 'é'.repeat(200) });
        tx.send('out', { key: 'é'.repeat(200), value: 'é'.repeat(200) });
      })
      .catch((e: unknown) => e as TablogError);
    const { bytes } = (error as TablogError).details;
    expect(error).toMatchObject(code('TRANSACTION_TOO_LARGE', { retriable: false }));
    expect(bytes).toBeGreaterThanOrEqual(1200);
    expect((error as TablogError).message).toMatch(new RegExp(`${String(bytes)} bytes.*1000`));
    expect([await countOf(log, 'out'), await countOf(log, 't')]).toEqual([0, 0]);
  });

  test('is each transaction’s own', async () => {
    const log = await logWith('out');
    const producer = log.producer({ maxTransactionBytes: 1000 });
    const value = 'x'.repeat(900);
    await Promise.all([1, 2, 3].map(() => producer.transaction((tx) => tx.send('out', { value }))));
    expect(await countOf(log, 'out')).toBe(3);
  });

  test('may be more than a batch of send() would have', async () => {
    const log = await logWith('out');
    const producer = log.producer({ batchBytes: 100 });
    await producer.transaction((tx) => {
      for (let i = 0; i < 3000; i++) tx.send('out', { value: 'x'.repeat(1000) });
    });
    expect(await countOf(log, 'out')).toBe(3000);
  });
});

describe('transactionTimeoutMs', () => {
  async function timed(): Promise<{ log: Log; clock: ManualClock; producer: Producer }> {
    const clock = new ManualClock();
    const log = openTabWith(clock, memoryHost());
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
    await producer.transaction((next) => next.send('out', { value: 'c' }));
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

  test('does not count what comes after its function, and leaves no timer behind', async () => {
    const clock = new ManualClock();
    const host = stubHost();
    const log = openTabWith(clock, host);
    await log.admin.createTopics(['out']);
    const producer = log.producer({ transactionTimeoutMs: 1000 });
    const gate = host.hold('transact');
    const sent = ['a', 'b'].map((value) => producer.transaction((tx) => tx.send('out', { value })));
    await gate.arrived(1);
    clock.advance(5000);
    gate.open();
    await Promise.all(sent);
    await producer
      .transaction(() => {
        throw new Error('no');
      })
      .catch(() => {});
    expect(clock.timers).toBe(0);
    expect(await stored(log)).toEqual(['a', 'b']);
  });
});

describe('after its end', () => {
  test.each<[string, (tx: Transaction) => unknown]>([
    ['stored', (tx) => tx.send('out', { value: 'a' })],
    ['aborted', (tx) => tx.abort()],
    [
      'failed',
      () => {
        throw new Error('no');
      },
    ],
  ])('(%s) nothing can be added', async (_, work) => {
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
      expect(call).toThrow(
        expect.objectContaining(
          code('INVALID_TXN_STATE', { retriable: false, cause: expect.anything() }),
        ),
      );
    }
    expect(late.signal.aborted).toBe(true);
    await producer.transaction(() => {});
    expect(await countOf(log, 'out')).toBe(count);
  });
});

describe('commitOffsets', () => {
  test('commits the message in hand, of a loop', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const [first, second] = await readSome(consumer, 2);
    await copy(log.producer(), consumer, first!, second!);
    expect(await committed(log)).toEqual({ 't/0': 2 });
    expect(await stored(log)).toEqual(['0@0', '0@1']);
  });

  test('commits the batch in hand', async () => {
    const log = await chain(10);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    for await (const batch of consumer.batches({ max: 4 })) {
      await copy(producer, consumer, ...batch.messages);
      expect(await committed(log)).toEqual({ 't/0': batch.lastOffset + 1 });
      if (batch.lastOffset === 9) break;
    }
    expect(await countOf(log, 'out')).toBe(10);
  });

  test('commits the message that a handler has', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const over = consumer.run({
      eachMessage: async (message) => {
        await copy(producer, consumer, message);
        expect(await committed(log)).toEqual({ 't/0': message.offset + 1 });
      },
    });
    await eventually(async () => expect(await stored(log)).toEqual(['0@0', '0@1', '0@2']));
    await consumer.close();
    await over;
  });

  test('commits of all partitions what was handed out, and nothing that was not', async () => {
    const log = await logWith(four, 'out');
    await fill(log, 2, [0, 1, 2]);
    const { consumer } = new Member(log, manual);
    const messages = await readSome(consumer, 5);
    await copy(log.producer(), consumer, ...messages);
    const offsets = Object.values(await committed(log));
    expect(offsets.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 2]);
    const done = new Set(
      (await readAll(log, 'out')).map(({ value }) => new TextDecoder().decode(value!)),
    );
    expect(done).toEqual(new Set(messages.map((message) => asRecord(message).value)));
  });

  test('commits nothing twice: what is committed so is not committed once more', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed);
    const producer = stubbed.producer();
    for await (const message of consumer) {
      await copy(producer, consumer, message);
      if (message.offset === 2) break;
    }
    await consumer.close();
    expect(host.requests('commitOffsets')).toEqual([]);
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('takes several consumers, and each of them once', async () => {
    const host = stubHost();
    const log = await openTab(host);
    await log.admin.createTopics(['t', 'u', 'out']);
    for (const name of ['t', 'u']) await fill(log, 2, [0], name);
    const a = new Member(log, { ...manual, group: 'a' }).consumer;
    const b = new Member(log, { ...manual, group: 'b', topics: ['u'] }).consumer;
    const messages = [await readOne(a), await readOne(b)];
    await log.producer().transaction((tx) => {
      tx.sendBatch('out', messages.map(asRecord));
      for (const consumer of [a, b, a]) tx.commitOffsets(consumer);
    });
    expect(host.requests('transact')[0]!.commits).toHaveLength(2);
    expect(await committed(log, 'a')).toEqual({ 't/0': 1 });
    expect(await committed(log, 'b')).toEqual({ 'u/0': 1 });
    expect(await countOf(log, 'out')).toBe(2);
  });

  test('of the same consumers in any order, in two producers at once, comes to an end', async () => {
    const log = await logWith('t', 'u', 'out');
    for (const name of ['t', 'u']) await fill(log, 2, [0], name);
    const a = new Member(log, manual).consumer;
    const b = new Member(log, { ...manual, group: 'b', topics: ['u'] }).consumer;
    for (const consumer of [a, b]) await readOne(consumer);
    const both = [
      [a, b],
      [b, a],
    ].map((order) =>
      log.producer().transaction((tx) => {
        tx.send('out', { value: 'x' });
        for (const consumer of order) tx.commitOffsets(consumer);
      }),
    );
    let ended = 0;
    for (const each of both) void each.then(() => ended++);
    await settle();
    await settle();
    expect(ended).toBe(2);
  });

  test('counts from the new place after a seek', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const iterator = consumer[Symbol.asyncIterator]();
    await consumer.ready;
    for (const [to, next] of [
      [4, 5],
      [0, 1],
      [2, 3],
    ] as const) {
      await consumer.seek(to);
      const { value } = await iterator.next();
      await copy(producer, consumer, value as Message);
      expect(await committed(log)).toEqual({ 't/0': next });
    }
    expect(await stored(log)).toEqual(['0@4', '0@0', '0@2']);
  });

  test('leaves out a message that was in hand when somebody sought', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const [, , message] = await readSome(consumer, 3);
    await consumer.seek(1);
    await copy(log.producer(), consumer, message!);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('means what was handed out at the call, whatever is read before it is stored', async () => {
    const log = await chain(3);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const iterator = consumer[Symbol.asyncIterator]();
    const gate = latch();
    const { value: first } = await iterator.next();
    const slow = producer.transaction(async (tx) => {
      tx.send('out', asRecord(first as Message));
      tx.commitOffsets(consumer);
      await gate.opened;
    });
    await settle();
    await iterator.next(); // and nobody has stored anything of that one
    gate.open();
    await slow;
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test.each([
    ['one partition', 1, 8],
    ['several partitions', 4, 1],
  ])('refuses several messages of %s in hand', async (_, partitions, each) => {
    const log = await logWith(topic('t', { partitions }), 'out');
    const all = Array.from({ length: partitions }, (__, partition) => partition);
    await fill(log, each, all);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const gate = latch();
    const inHand: Message[] = [];
    const records = await log.admin.describeTopic('t');
    expect(records.partitions).toHaveLength(partitions);
    const over = consumer.run({
      concurrency: 4,
      eachMessage: async (message) => {
        inHand.push(message);
        await gate.opened;
      },
    });
    await eventually(() => expect(inHand.length).toBeGreaterThanOrEqual(Math.min(partitions, 4)));
    await settle();
    const error = await copy(producer, consumer, inHand[0]!).catch((e: unknown) => e);
    gate.open();
    await consumer.close();
    await over;
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('concurrency');
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('refuses what has no group, is closed, or is no consumer', async () => {
    const log = await chain();
    const { consumer: closed } = await joined(log);
    await closed.close();
    const refused = (consumer: unknown): Promise<unknown> =>
      log.producer().transaction((tx) => {
        tx.send('out', { value: 'a' });
        tx.commitOffsets(consumer as Consumer);
      });
    const reader = log.consumer({ topics: ['t'] });
    await expect(refused(reader)).rejects.toThrow(/needs a consumer with a group/);
    await expect(refused(closed)).rejects.toMatchObject(code('CLOSED'));
    for (const other of [undefined, null, {}, 'g', log.producer()]) {
      await expect(refused(other)).rejects.toBeInstanceOf(TypeError);
    }
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('of a consumer of another log stores nothing', async () => {
    const [log, other] = [await chain(), await chain()];
    const { consumer } = new Member(other, manual);
    const message = await readOne(consumer);
    await expect(copy(log.producer(), consumer, message)).rejects.toThrow();
    expect(await countOf(log, 'out')).toBe(0);
    expect(await log.admin.listGroups()).toEqual([]);
  });

  test('of a consumer that has nothing new is nothing', async () => {
    const log = await chain();
    const { consumer } = await joined(log, manual);
    const producer = log.producer();
    await copy(producer, consumer);
    const message = await readOne(consumer);
    await copy(producer, consumer, message);
    await copy(producer, consumer);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });
});

describe('a partition that another member has by now', () => {
  const FENCED = code('FENCED', { retriable: false });

  test.each([
    ['and its tab has not heard', false],
    ['and its tab has heard', true],
  ])('fences the transaction, %s: the message comes again elsewhere', async (_, hears) => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    if (!hears) host.hold('syncGroup');
    const { consumer } = new Member(stubbed, manual);
    const message = await readOne(consumer);
    await eventually(() => expect(host.requests('syncGroup')).not.toEqual([]));
    const lost = new Promise((resolve) => consumer.on('lost', resolve));
    await expel(host, log);
    if (hears) await lost;
    const producer = stubbed.producer();
    for (let i = 0; i < 3; i++) {
      await expect(copy(producer, consumer, message)).rejects.toMatchObject(FENCED);
    }
    expect(await countOf(log, 'out')).toBe(0);
    const b = new Member(log, manual).consumer;
    await copy(log.producer(), b, await readOne(b));
    expect(await stored(log)).toEqual(['0@0']);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('fences it too where the message was handed out before, and not committed', async () => {
    const [log, other] = await openTabs(2, four, 'out');
    await fill(log!, 1, [0, 1, 2, 3]);
    const { consumer } = await joined(log!, manual);
    const messages = await readSome(consumer, 4);
    const b = await reading(other!, manual); // gets those that are not in hand
    expect(b.owns).toHaveLength(2);
    await expect(copy(log!.producer(), consumer, ...messages)).rejects.toMatchObject(FENCED);
    expect(await countOf(log!, 'out')).toBe(0);
  });

  test('is read on by whoever gets it, be it the same member', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed);
    const producer = stubbed.producer();
    const fenced: number[] = [];
    for await (const message of consumer) {
      if (message.offset === 1 && fenced.length === 0) {
        const lost = new Promise((resolve) => consumer.on('lost', resolve));
        await expel(host, log);
        await lost;
      }
      await copy(producer, consumer, message).catch((error: unknown) => {
        expect(error).toMatchObject(FENCED);
        fenced.push(message.offset);
      });
      if (message.offset === 2) break;
    }
    expect(fenced).toEqual([1]);
    expect(await stored(log)).toEqual(['0@0', '0@1', '0@2']);
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('fences it, where the offsets were reset by force', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    host.hold('syncGroup');
    const { consumer } = new Member(stubbed, manual);
    const message = await readOne(consumer);
    await log.admin.resetOffsets('g', 't', 0, { force: true });
    await expect(copy(stubbed.producer(), consumer, message)).rejects.toMatchObject(FENCED);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('leaves the producer as it was', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    host.hold('syncGroup');
    const { consumer } = new Member(stubbed, manual);
    const message = await readOne(consumer);
    await eventually(() => expect(host.requests('syncGroup')).not.toEqual([]));
    const producer = stubbed.producer();
    await producer.transaction((tx) => tx.send('out', { value: 'a' }));
    await expel(host, log);
    await expect(copy(producer, consumer, message)).rejects.toMatchObject(FENCED);
    await producer.transaction((tx) => tx.send('out', { value: 'b' }));
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('is given up only when the transaction that has it in hand is stored', async () => {
    const [log, other] = await openTabs(2, 't', 'u', 'out');
    for (const name of ['t', 'u']) await fill(log!, 1, [0], name);
    const topics = { ...manual, topics: ['t', 'u'] };
    const { consumer } = new Member(log!, topics);
    const producer = log!.producer();
    const gate = latch();
    const over = consumer.run({
      eachMessage: async (message) => {
        await producer.transaction(async (tx) => {
          tx.send('out', { value: message.topic });
          tx.commitOffsets(consumer);
          await gate.opened;
        });
      },
    });
    await eventually(async () => expect(await committed(log!)).toEqual({ 't/0': 0, 'u/0': 0 }));
    const b = new Member(other!, topics);
    b.loop().catch(() => {});
    await eventually(async () =>
      expect((await log!.admin.describeGroup('g')).members).toHaveLength(2),
    );
    gate.open();
    await b.consumer.ready;
    await eventually(async () => expect((await countOf(log!, 'out')) + b.read.length).toBe(2));
    await consumer.close();
    await over;
  });
});

describe('a consumer that closes', () => {
  test.each([
    ['after commitOffsets()', true],
    ['before commitOffsets()', false],
  ])(
    '%s takes the transaction with it, for its message comes again elsewhere',
    async (_, after) => {
      const log = await chain();
      const { consumer } = new Member(log, manual);
      const message = await readOne(consumer);
      const running = log.producer().transaction(async (tx) => {
        tx.send('out', asRecord(message));
        if (after) tx.commitOffsets(consumer);
        await consumer.close();
        if (!after) tx.commitOffsets(consumer);
      });
      await expect(running).rejects.toMatchObject(code(after ? 'FENCED' : 'CLOSED'));
      expect(await countOf(log, 'out')).toBe(0);
      expect((await readOne(new Member(log).consumer)).offset).toBe(0);
    },
  );

  test('stores what its listener does with what it had handed out', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const messages = await readSome(consumer, 2);
    consumer.on('revoked', async () => void (await copy(producer, consumer, ...messages)));
    await consumer.close();
    expect(await stored(log)).toEqual(['0@0', '0@1']);
    expect(await committed(log)).toEqual({ 't/0': 2 });
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
      const sent = ['a', 'b'].map((value) =>
        producer.transaction((tx) => tx.send('out', { value })),
      );
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

describe('a transactional id', () => {
  const id = { transactionalId: 'billing' };
  const FENCED = code('FENCED', { retriable: false });
  const say = (producer: Producer, value: string): Promise<unknown> =>
    producer.transaction((tx) => tx.send('out', { value }));

  test('fences the one before, in another tab, and for good', async () => {
    const [mine, other] = await openTwoTabs('out');
    const [first, second] = [mine.producer(id), other.producer(id)];
    await say(first, 'a');
    await say(second, 'b');
    for (let i = 0; i < 3; i++) await expect(say(first, 'c')).rejects.toMatchObject(FENCED);
    await say(second, 'd');
    expect(await stored(mine)).toEqual(['a', 'b', 'd']);
  });

  test('fences all that the one before has open', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer(id);
    const opened = ['a', 'b', 'c'].map((value) => open(first, (tx) => tx.send('out', { value })));
    for (const { begun } of opened) await begun;
    const second = other.producer(id);
    await say(second, 'x');
    for (const { end, over } of opened) {
      end();
      await expect(over).rejects.toMatchObject(FENCED);
    }
    await say(second, 'y');
    expect(await stored(mine)).toEqual(['x', 'y']);
  });

  test('fences offsets without records too', async () => {
    const [mine, other] = await openTwoTabs('t', 'out');
    await fill(mine, 3);
    const { consumer } = new Member(mine, manual);
    await readOne(consumer);
    const first = mine.producer(id);
    await first.transaction(() => {});
    await say(other.producer(id), 'a');
    await expect(copy(first, consumer)).rejects.toMatchObject(FENCED);
    expect(await committed(mine)).toEqual({ 't/0': 0 });
  });

  test('is taken when the first transaction begins', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer(id);
    await say(first, 'a');
    const second = open(other.producer(id));
    await second.begun;
    await expect(say(first, 'b')).rejects.toMatchObject(FENCED);
    second.end();
    await second.over;
  });

  test('is kept where a partition of the group was lost', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    host.hold('syncGroup');
    const { consumer } = new Member(stubbed, manual);
    const message = await readOne(consumer);
    const producer = stubbed.producer(id);
    await log.admin.resetOffsets('g', 't', 0, { force: true });
    await expect(copy(producer, consumer, message)).rejects.toMatchObject(code('FENCED'));
    await say(producer, 'a');
    await say(log.producer(id), 'b');
    await expect(say(producer, 'c')).rejects.toMatchObject(code('FENCED'));
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('leaves other ids, and producers without one, alone', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer({ transactionalId: 'a' });
    const second = other.producer({ transactionalId: 'b' });
    const third = other.producer();
    for (let i = 0; i < 2; i++) {
      for (const producer of [first, second, third]) await say(producer, 'x');
    }
    await third.send('out', { value: 'x' });
    expect(await countOf(mine, 'out')).toBe(7);
  });

  test('outlives the tabs: the epoch goes on when the store is opened again', async () => {
    const host = memoryHost();
    const epochs: number[] = [];
    const name = crypto.randomUUID();
    for (let i = 0; i < 3; i++) {
      const stub = stubHost(host);
      const log = await openTab(stub, name);
      await log.admin.createTopics(['out']);
      await say(log.producer(id), String(i));
      const { appends, producer } = stub.requests('transact')[0]!;
      const { producerId, producerEpoch } = new RecordBatch(new Uint8Array(appends[0]!.batch));
      expect(producer).toEqual({ ...id, id: producerId, epoch: producerEpoch });
      epochs.push(producerEpoch);
      if (i === 2) expect(await stored(log)).toEqual(['0', '1', '2']);
      await log.close();
    }
    expect(epochs).toEqual([0, 1, 2]);
  });

  test('has nothing sent outside of transactions', async () => {
    const log = await logWith('out');
    const producer = log.producer(id);
    await expect(producer.send('out', { value: 'a' })).rejects.toBeInstanceOf(TypeError);
    await expect(producer.sendBatch('out', [{ value: 'a' }])).rejects.toThrow(/transaction\(\)/);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test.each(['', 'a b', '../x', 'x'.repeat(201), 5, null, {}])(
    'has a name: not %j',
    async (name) => {
      const log = await logWith();
      expect(() => log.producer({ transactionalId: name as string })).toThrow(
        /transactional id|string/,
      );
      log.producer({ transactionalId: 'A-z_0.9'.padEnd(200, 'x') });
    },
  );
});
