import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../../src/base/error-rules.ts';
import { TablogError, json, topic } from '../../../src/index.ts';
import type { Log, ProducerRecord, RawMessage, Topic, TopicLike } from '../../../src/index.ts';
import { countOf, openTab, openTwoTabs, readAll, texts } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { asMember, committed, handOut, orders, send } from '../run/run-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

const letters = topic('letters');
const MIB = 1024 * 1024;

async function logOf(...topics: readonly TopicLike[]): Promise<{ host: StubHost; log: Log }> {
  const host = stubHost();
  const log = await openTab(host);
  await log.admin.createTopics(topics);
  return { host, log };
}

/** Reads `source` in a group, and buries what `handle` throws for, until so many are buried. */
async function buryAll(
  log: Log,
  source: TopicLike,
  dead: Topic,
  handle: () => unknown,
  count = 1,
): Promise<void> {
  const consumer = log.consumer({ group: 'g', topics: [source], from: 'earliest' });
  const over = consumer.run({
    eachMessage: async () => void (await handle()),
    onError: 'deadLetter',
    deadLetterTopic: dead,
  });
  await Promise.race([over, eventually(async () => (await countOf(log, dead)) >= count)]);
  await consumer.close();
  await over;
  const [{ partitions }] = await log.admin.describeGroups(['g']);
  expect(partitions.every(({ lag }) => lag === 0)).toBe(true);
}

/** The record that has a dead letter tried again. */
function contentOf({ key, value, headers }: RawMessage): ProducerRecord<Uint8Array, Uint8Array> {
  return { key, value, headers };
}

function failWith(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

describe('a dead letter is stored whatever was thrown', () => {
  const unreadable = new Error('x');
  Object.defineProperty(unreadable, 'message', { get: failWith(new Error('no message')) });
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();

  test.each<[string, () => unknown, string | RegExp]>([
    ['V8 with half a pair', () => JSON.parse('😀'), /^SyntaxError: .*\ufffd/],
    ['a pair at the cut', failWith(`${'x'.repeat(999)}😀`), 'x'.repeat(999)],
    ['an error with one', failWith(new Error(`${'x'.repeat(992)}😀`)), `Error: ${'x'.repeat(992)}`],
    ['no prototype', failWith(Object.create(null)), 'an error without a text'],
    ['a message that throws', failWith(unreadable), 'an error without a text'],
    ['a revoked proxy', failWith(revoked), 'an error without a text'],
    ['a symbol', failWith(Symbol('s')), 'Symbol(s)'],
    ['undefined', failWith(undefined), 'undefined'],
  ])('%s', async (_, handle, text) => {
    const { log } = await logOf('source', letters);
    await log.producer().send('source', { value: 'v' });
    await buryAll(log, 'source', letters, handle);
    const [letter] = await readAll(log, letters);
    if (typeof text === 'string') expect(letter!.header('tablog.error')).toBe(text);
    else expect(letter!.header('tablog.error')).toMatch(text);
  });

  test('V8 of a value that is no JSON, which its serde reads', async () => {
    const typed = topic('source', { value: json() });
    const { log } = await logOf(typed, letters);
    await log.producer().send('source', { value: '😀' });
    await buryAll(log, typed, letters, () => {});
    expect(texts(await readAll(log, letters))).toEqual(['😀']);
  });
});

describe('a dead letter is stored whatever its topic wants', () => {
  const value = 'v'.repeat(MIB);

  test.each([
    ['it is as large as may be', {}, letters],
    ['the other takes only small ones', {}, topic('letters', { maxRecordBytes: 100 })],
    ['its own takes larger ones', { maxRecordBytes: 2 * MIB }, letters],
  ])('though %s', async (_, config, dead) => {
    const source = topic('source', config);
    const { log } = await logOf(source, dead);
    await log.producer().send(source, { value: new TextEncoder().encode(value) });
    await buryAll(log, source, dead, failWith(new Error('no')));
    const [letter] = await readAll(log, dead);
    expect(letter!.value!.length).toBe(MIB);
    expect(letter!.header('tablog.error')).toBe('Error: no');
  });

  test('though the producers of the other still keep to its rules', async () => {
    const dead = topic('letters', { maxRecordBytes: 100, cleanup: 'compact' });
    const { log } = await logOf(dead);
    await expect(log.producer().send(dead, { value: new Uint8Array(1) })).rejects.toMatchObject({
      code: 'INVALID_RECORD',
    });
  });

  test('though it is compacted, and the record has no key', async () => {
    const dead = topic('letters', { cleanup: 'compact' });
    const { log } = await logOf('source', dead);
    await log.producer().sendBatch('source', [{ value: 'v' }, { key: 'k', value: null }]);
    await buryAll(log, 'source', dead, failWith(new Error('no')), 2);
    expect((await readAll(log, dead)).map(({ key }) => key)).toEqual([
      null,
      new TextEncoder().encode('k'),
    ]);
  });

  test('though it was made anew, with fewer partitions, and nobody said so', async () => {
    const { host, log } = await logOf(orders, topic('letters', { partitions: 4 }));
    await send(log, 3, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), {
      onError: 'deadLetter',
      deadLetterTopic: letters,
    });
    await hands.fail('a:0');
    await hands.get('a:1');
    // The tab keeps what it knew: the hint that topics have changed is lost.
    const known = await host.open(log.name).broker.listTopics(null);
    await log.admin.deleteTopics([letters]);
    await log.admin.createTopics([letters]);
    host.answer('listTopics', async () => {
      host.answer('listTopics', undefined);
      return known;
    });
    await hands.fail('a:1');
    await eventually(async () => (await countOf(log, letters)) === 1);
    expect((await committed(log))[3]).toBe(2);
  });

  test('is UNKNOWN_TOPIC where it is gone; made again, the message is buried there', async () => {
    const { log } = await logOf(orders, letters);
    await send(log, 0, 'a:0');
    const burying = { onError: 'deadLetter', deadLetterTopic: letters } as const;
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, burying);
    await hands.get('a:0');
    await log.admin.deleteTopics([letters]);
    await hands.fail('a:0');
    await expect(hands.over).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      details: { topic: 'letters' },
    });
    await log.admin.createTopics([letters]);
    await handOut(consumer, burying).fail('a:0');
    await eventually(async () => (await committed(log))[0] === 1);
    expect(await countOf(log, letters)).toBe(1);
  });

  test('does not end the run where the topic that it is of is gone', async () => {
    const { log } = await logOf(orders, 'other', letters);
    await send(log, 0, 'a:0');
    const consumer = log.consumer({ ...asMember, topics: [orders, 'other'] });
    const started: unknown[] = [];
    let fail!: (error: Error) => void;
    let isOver = false;
    void consumer
      .run({
        eachMessage: (message) => {
          started.push(message.topic);
          return new Promise((resolve, reject) => {
            if (message.topic === 'other') resolve();
            else fail = reject;
          });
        },
        onError: 'deadLetter',
        deadLetterTopic: letters,
      })
      .finally(() => (isOver = true));
    await eventually(() => started.length === 1);
    await log.admin.deleteTopics([orders]);
    fail(new Error('no'));
    await log.producer().send('other', { value: 'v' });
    await eventually(() => started.length === 2 || isOver);
    expect(started).toEqual(['orders', 'other']);
  });
});

describe('a dead letter in a topic in memory', () => {
  const inMemory = topic('letters', { storage: 'memory' });

  test.each([['processed'], ['manual']] as const)(
    'is stored, and then committed (%s)',
    async (commit) => {
      const { host, log } = await logOf(orders, inMemory);
      await send(log, 0, 'a:0', 'a:1');
      const hands = handOut(log.consumer({ ...asMember, commit }), {
        onError: 'deadLetter',
        deadLetterTopic: inMemory,
      });
      await hands.fail('a:0');
      await hands.get('a:1');
      expect(texts(await readAll(log, inMemory))).toEqual(['a:0']);
      expect((await committed(log))[0]).toBe(1);
      expect(host.requests('transact')).toHaveLength(0);
    },
  );

  test('is stored by the worker that has the records, whatever its size', async () => {
    const small = topic('letters', { storage: 'memory', maxRecordBytes: 10 });
    const [first, second] = await openTwoTabs('source', small);
    await countOf(first, small); // it has the records
    await second.producer().send('source', { value: 'v'.repeat(100) });
    await buryAll(second, 'source', small, failWith(new Error('no')));
    expect(await countOf(first, small)).toBe(1);
  });

  test('is stored though an answer was lost: once more, perhaps', async () => {
    const { host, log } = await logOf(orders, inMemory);
    await send(log, 0, 'a:0');
    host.answer('produce', async (request, real) => {
      host.answer('produce', undefined);
      await real(request);
      throw new TablogError(OUTCOME_UNKNOWN, 'no answer');
    });
    const burying = { onError: 'deadLetter', deadLetterTopic: inMemory } as const;
    await handOut(log.consumer(asMember), burying).fail('a:0');
    await eventually(async () => (await committed(log))[0] === 1);
    expect(texts(await readAll(log, inMemory))).toEqual(['a:0', 'a:0']);
  });

  test('works without a group', async () => {
    const { log } = await logOf('source', inMemory);
    await log.producer().send('source', { value: 'v' });
    void log.consumer({ topics: ['source'], from: 'earliest' }).run({
      eachMessage: failWith(new Error('no')),
      onError: 'deadLetter',
      deadLetterTopic: inMemory,
    });
    await eventually(async () => (await countOf(log, inMemory)) === 1);
  });
});

describe('dead letters do not come back', () => {
  const pattern = { topics: [/^orders/], from: 'earliest' } as const;
  const dead = topic('orders-dead');
  const failed = topic('orders-failed');

  test('to the topic that is read: a mistake is told, and nothing is read', async () => {
    const { log } = await logOf(orders);
    await send(log, 0, 'a:0');
    const consumer = log.consumer(asMember);
    for (const deadLetterTopic of [orders, 'orders']) {
      const hands = handOut(consumer, { onError: 'deadLetter', deadLetterTopic });
      await expect(hands.over).rejects.toThrow(TypeError);
      await expect(hands.over).rejects.toThrow(/'orders' is one of the topics that this consumer/);
      expect(hands.started).toEqual([]);
    }
    await handOut(consumer).end('a:0');
  });

  test.each([[undefined], ['g']])(
    'to a pattern that matches their topic (group %s)',
    async (group) => {
      const { log } = await logOf(orders, dead);
      await send(log, 0, 'a:0', 'a:1');
      let calls = 0;
      const consumer = log.consumer({ ...pattern, ...(group && { group }) });
      const over = consumer.run({
        eachMessage: () => {
          calls++;
          throw new Error('no');
        },
        onError: 'deadLetter',
        deadLetterTopic: dead,
      });
      await eventually(async () => (await countOf(log, dead)) === 2);
      await eventually(() => consumer.position({ topic: dead, partition: 0 }) === 2);
      await settle();
      expect(calls).toBe(2);
      await consumer.close();
      await over;
      if (group === undefined) return;
      const [{ partitions }] = await log.admin.describeGroups([group]);
      expect(partitions.map(({ lag }) => lag)).toEqual([0, 0, 0, 0, 0]); // they count as processed
    },
  );

  test('to each other, where two runs read the same pattern', async () => {
    const { log } = await logOf(orders, dead, failed);
    await send(log, 0, 'a:0');
    let calls = 0;
    const consumers = [dead, failed].map((deadLetterTopic, i) => {
      const consumer = log.consumer({ ...pattern, group: `g${i}` });
      void consumer.run({
        eachMessage: () => {
          calls++;
          throw new Error('no');
        },
        onError: 'deadLetter',
        deadLetterTopic,
      });
      return consumer;
    });
    await eventually(() =>
      consumers.every(
        (consumer) =>
          consumer.assignment.length === 6 &&
          [dead, failed].every((of) => consumer.position({ topic: of, partition: 0 }) === 1),
      ),
    );
    await settle();
    expect(calls).toBe(2);
  });

  test('but one that is sent back to where it came from is handled as any other', async () => {
    const { log } = await logOf(orders, dead);
    await send(log, 0, 'a:0');
    const attempts: number[] = [];
    void log.consumer({ ...pattern, group: 'g' }).run({
      eachMessage: ({ offset }) => {
        if (attempts.push(offset) === 1) throw new Error('no');
      },
      onError: 'deadLetter',
      deadLetterTopic: dead,
    });
    await eventually(async () => (await countOf(log, dead)) === 1);
    const [letter] = await readAll(log, dead);
    await log.producer().send('orders', { ...contentOf(letter!), partition: 0 });
    await eventually(() => attempts.length === 2);
    expect(attempts).toEqual([0, 1]);
  });

  test('whoever names their topic has them, and where they fail again keeps their origin', async () => {
    const { log } = await logOf(orders, dead, failed);
    await send(log, 0, 'a:0');
    await buryAll(log, 'orders', dead, failWith(new Error('first')));
    const redriving = log.consumer({ group: 'again', topics: [dead], from: 'earliest' });
    void redriving.run({
      eachMessage: failWith(new Error('second')),
      onError: 'deadLetter',
      deadLetterTopic: failed,
    });
    await eventually(async () => (await countOf(log, failed)) === 1);
    const [letter] = await readAll(log, failed);
    expect(letter!.headers.map(([name]) => [name, letter!.header(name)])).toEqual([
      ['tablog.topic', 'orders'],
      ['tablog.partition', '0'],
      ['tablog.offset', '0'],
      ['tablog.attempts', '1'],
      ['tablog.error', 'Error: second'],
      ['tablog.deadLetterTopic', 'orders-failed'],
    ]);
  });

  test('a pattern without dead letters of its own reads them, as ever', async () => {
    const { log } = await logOf(orders, dead);
    await send(log, 0, 'a:0');
    await buryAll(log, 'orders', dead, failWith(new Error('no')));
    const seen: string[] = [];
    void log.consumer(pattern).run({ eachMessage: ({ topic: of }) => void seen.push(of) });
    await eventually(() => seen.length === 2);
    expect(seen.sort()).toEqual(['orders', 'orders-dead']);
  });
});
