import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { TablogError } from '../../../src/index.ts';
import { committed, openStubbed, storeHost } from '../../support/group-fixture.ts';
import { countOf, logWith, openTab, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost, stubbedLog } from '../../support/stub-broker.ts';
import { chain, code, open, out, say, stored } from './transaction-fixture.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

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
    const { log, host } = await stubbedLog(out);
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

  test.each(['send', 'sendBatch'] as const)(
    'takes no options: tx.%s() refuses them and says who takes some',
    async (method) => {
      const log = await logWith('out');
      const options = { signal: AbortSignal.abort() };
      const running = log.producer().transaction((tx) => {
        const records = method === 'send' ? { value: 'a' } : [{ value: 'a' }];
        Reflect.apply(tx[method], tx, ['out', records, options]);
      });
      await expect(running).rejects.toThrow(TypeError);
      await expect(running).rejects.toThrow(
        `tx.${method}() takes no options, unlike producer.${method}(), got { signal }`,
      );
      expect(await countOf(log, 'out')).toBe(0);
    },
  );

  test.each(['send', 'sendBatch'] as const)(
    'knows no expectedOffset: tx.%s() refuses it and says who takes it',
    async (method) => {
      const log = await logWith('out');
      const running = log.producer().transaction((tx) => {
        const record = { value: 'a', partition: 0, expectedOffset: 0 };
        const records = method === 'send' ? record : [{ value: 'b' }, record];
        Reflect.apply(tx[method], tx, ['out', records]);
      });
      await expect(running).rejects.toThrow(TypeError);
      await expect(running).rejects.toThrow(
        'a record of a transaction has no expectedOffset: send it with producer.send(), got 0',
      );
      expect(await countOf(log, 'out')).toBe(0);
    },
  );

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
    const { log } = await stubbedLog('out');
    const value = 'x'.repeat(10_000);
    await say(log.producer({ compression: 'gzip' }), value);
    expect(await stored(log)).toEqual([value]);
    expect((await log.admin.describeTopics(['out']))[0].partitions[0]!.bytes).toBeLessThan(1000);
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

  test('is sent when the one before it is stored', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    const producer = stubbed.producer();
    const gate = host.hold('transact');
    const sent = ['a', 'b', 'c'].map((value) => say(producer, value));
    await gate.arrived(1);
    await settle();
    expect(host.requests('transact')).toHaveLength(1);
    gate.open();
    await Promise.all(sent);
    expect(await stored(log)).toEqual(['a', 'b', 'c']);
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
    await other.admin.createPartitions([{ topic: 'out', partitions: 3 }]);
    clock.advance(30_000);
    await producer.transaction((tx) => tx.send('out', { value: 'b', partition: 2 }));
    expect(await stored(other)).toEqual(['a', 'b']);
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
    await Promise.all([1, 2, 3].map(() => say(producer, value)));
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
