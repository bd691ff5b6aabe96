import { describe, expect, test } from 'vitest';
import { STORAGE_FULL } from '../../../src/base/error-rules.ts';
import { TablogError, integer, json, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, Log, MessageBatch, Serde } from '../../../src/index.ts';
import { countOf, readAll, take, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { eventually, settle } from '../../support/waiting.ts';

const numbers = topic('numbers', { value: json<number>() });
const letters = topic('letters');
const POISON = '{no JSON';

/** A log with these texts in the topic of numbers. */
async function logOf(...values: string[]): Promise<{ host: StubHost; log: Log }> {
  const { log, host } = await stubbedLog(numbers, letters);
  if (values.length > 0) {
    await log.producer().sendBatch(
      'numbers',
      values.map((value) => ({ value })),
    );
  }
  return { host, log };
}

type Options = Partial<ConsumerOptions<typeof numbers>>;

function consumerOf(log: Log, options: Options = {}): Consumer<typeof numbers> {
  return log.consumer({ topics: [numbers], from: 'earliest', ...options });
}

async function values(consumer: Consumer<typeof numbers>, count: number): Promise<unknown[]> {
  return (await take(consumer, count)).map(({ value }) => value);
}

/** The offset that the group 'g' has committed; `undefined`: there is no such group yet. */
async function committed(log: Log): Promise<number | undefined> {
  const groups = await log.admin.listGroups();
  return groups.length === 0 ? undefined : (await log.admin.listGroupOffsets('g'))[0]?.offset;
}

const AT_1 = {
  code: 'SERDE',
  retriable: false,
  details: { topic: 'numbers', partition: 0, offset: 1, field: 'value' },
};

describe('a record that cannot be decoded', () => {
  test('ends the loop with SERDE, which says where it is and why', async () => {
    const { log } = await logOf('0', POISON, '2');
    const consumer = consumerOf(log);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { value } of consumer) seen.push(value);
    })();
    const error = (await reading.catch((thrown: unknown) => thrown)) as TablogError;
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toMatchObject(AT_1);
    expect(error.cause).toBeInstanceOf(SyntaxError);
    expect(error.message).toMatch(/topic 'numbers', partition 0, offset 1/);
    expect(seen).toEqual([0]);
  });

  test('is the next one still, until somebody seeks past it', async () => {
    const { log } = await logOf('0', POISON, '2');
    const consumer = consumerOf(log);
    const where = { topic: numbers, partition: 0 };
    await expect(take(consumer, 3)).rejects.toMatchObject(AT_1);
    for (let i = 0; i < 2; i++) {
      expect(consumer.position(where)).toBe(1);
      await expect(take(consumer, 1)).rejects.toMatchObject(AT_1);
    }
    await consumer.seek(2, where);
    expect(await values(consumer, 1)).toEqual([2]);
  });

  test('is decoded anew each time: a serde that learns goes on', async () => {
    const { log } = await logOf('0', '1', '2');
    let knows = false;
    const learning: Serde<number> = {
      encode: String,
      decode: (bytes) => {
        const value = Number(new TextDecoder().decode(bytes));
        if (value === 1 && !knows) throw new Error('unknown schema');
        return value;
      },
    };
    const typed = topic('numbers', { value: learning });
    const consumer = log.consumer({ topics: [typed], from: 'earliest' });
    await expect(take(consumer, 3)).rejects.toMatchObject(AT_1);
    knows = true;
    expect((await take(consumer, 2)).map(({ value }) => value)).toEqual([1, 2]);
  });

  test.each<[string, unknown]>([
    ['a text', 'just a text'],
    ['nothing', undefined],
    ['an object without a text', Object.create(null)],
    ['half a pair', new Error('😀'[0])],
    ['a TablogError', new TablogError(STORAGE_FULL, 'of somebody else')],
  ])('is SERDE where its serde throws %s', async (_, thrown) => {
    const { log } = await logOf('0');
    const decode = (): number => {
      throw thrown;
    };
    const typed = topic('numbers', { value: { encode: String, decode } });
    const error: unknown = await readAll(log, typed).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'SERDE', details: { offset: 0 } });
    expect((error as TablogError).cause).toBe(thrown);
  });

  test('tells that it is the key', async () => {
    const { log } = await logOf();
    await log.producer().send('numbers', { key: 'k', value: '1' });
    const keyed = topic('numbers', { key: integer(), value: json<number>() });
    await expect(readAll(log, keyed)).rejects.toMatchObject({
      code: 'SERDE',
      details: { field: 'key' },
    });
  });

  test('ends batches() after the batch before it', async () => {
    const { log } = await logOf('0', '1', POISON, '3');
    const consumer = consumerOf(log);
    const batches: unknown[] = [];
    const reading = (async () => {
      for await (const { messages } of consumer.batches()) {
        batches.push(messages.map(({ value }) => value));
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'SERDE', details: { offset: 2 } });
    expect(batches).toEqual([[0, 1]]);
  });

  test('in a group: what is before it is committed, and it comes again', async () => {
    const { log } = await logOf('0', POISON, '2');
    const consumer = consumerOf(log, { group: 'g' });
    await expect(take(consumer, 3)).rejects.toMatchObject(AT_1);
    await consumer.close();
    expect(await committed(log)).toBe(1);
    await expect(take(consumerOf(log, { group: 'g' }), 1)).rejects.toMatchObject(AT_1);
  });
});

describe("onDecodeError: 'skip'", () => {
  test('passes over it, in loops and in batches', async () => {
    const { log } = await logOf(POISON, '1', POISON, POISON, '4', POISON);
    const skipping = { onDecodeError: 'skip' } as const;
    expect(await values(consumerOf(log, skipping), 2)).toEqual([1, 4]);
    const seen: unknown[] = [];
    for await (const { messages } of consumerOf(log, skipping).batches()) {
      seen.push(...messages.map(({ value }) => value));
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([1, 4]);
  });

  test('counts it as processed', async () => {
    const { log } = await logOf('0', POISON);
    const consumer = consumerOf(log, { group: 'g', onDecodeError: 'skip' });
    const reading = take(consumer, 2);
    await eventually(async () => (await committed(log)) === 2);
    await log.producer().send(numbers, { value: 2 });
    await reading;
  });
});

describe("onDecodeError: 'deadLetter'", () => {
  const burying = { onDecodeError: 'deadLetter', deadLetterTopic: letters } as const;

  test('stores it byte for byte, with its commit, and goes on', async () => {
    const { host, log } = await logOf('0', POISON, '2');
    const consumer = consumerOf(log, { ...burying, group: 'g' });
    expect(await values(consumer, 2)).toEqual([0, 2]);
    const [letter] = await readAll(log, letters);
    expect(texts([letter!])).toEqual([POISON]);
    expect(letter!.header('tablog.topic')).toBe('numbers');
    expect(letter!.header('tablog.offset')).toBe('1');
    expect(letter!.header('tablog.error')).toMatch(/^TablogError: SERDE: the value.*SyntaxError/);
    expect(host.requests('transact')).toMatchObject([{ commits: [{ offsets: [{ offset: 2 }] }] }]);
  });

  test('works without a group, and in batches', async () => {
    const { log } = await logOf('0', POISON, '2', POISON);
    const batches: MessageBatch<typeof numbers>[] = [];
    for await (const batch of consumerOf(log, burying).batches()) {
      if (batches.push(batch) === 2) break;
    }
    expect(batches.map(({ firstOffset }) => firstOffset)).toEqual([0, 2]);
    expect(await countOf(log, letters)).toBe(1);
  });

  test('that cannot be stored ends the loop, and the record is the next one', async () => {
    const { host, log } = await logOf('0', POISON, '2');
    const consumer = consumerOf(log, { ...burying, group: 'g' });
    host.answer('transact', () => Promise.reject(new TablogError(STORAGE_FULL, 'no room')));
    await expect(take(consumer, 2)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await countOf(log, letters)).toBe(0);
    host.answer('transact', undefined);
    expect(await values(consumer, 1)).toEqual([2]);
    expect(await countOf(log, letters)).toBe(1);
    await consumer.close();
    expect(await committed(log)).toBe(2);
  });

  test('needs a topic that exists and is not read: a mistake is told at the call', async () => {
    const { log } = await logOf('0');
    expect(() => consumerOf(log, { onDecodeError: 'deadLetter' })).toThrow(/deadLetterTopic/);
    const own = { onDecodeError: 'deadLetter', deadLetterTopic: 'numbers' } as const;
    expect(() => consumerOf(log, own)).toThrow(/one of the topics that this consumer reads/);
    const nowhere = consumerOf(log, { onDecodeError: 'deadLetter', deadLetterTopic: 'nowhere' });
    await expect(nowhere.ready).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(() => consumerOf(log, { onDecodeError: 'ignore' as never })).toThrow(TypeError);
  });
});

describe('a function as onDecodeError', () => {
  test('gets the error and the record as bytes, and its word counts', async () => {
    const { log } = await logOf('0', POISON, '2', POISON);
    const told: unknown[] = [];
    const consumer = consumerOf(log, {
      onDecodeError: async (error, message) => {
        told.push([error.details['offset'], message.offset, texts([message])[0]]);
        return message.offset === 1 ? 'skip' : 'fail';
      },
    });
    expect(await values(consumer, 2)).toEqual([0, 2]);
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'SERDE' });
    expect(told).toEqual([
      [1, 1, POISON],
      [3, 3, POISON],
    ]);
  });

  test.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('itself');
      },
    ],
    ['returns what is no action', () => 'ignore' as never],
    ['wants dead letters without a topic', () => 'deadLetter' as never],
  ])('that %s ends the loop, and the record is the next one', async (_, onDecodeError) => {
    const { log } = await logOf(POISON, '1');
    const consumer = consumerOf(log, { onDecodeError, group: 'g' });
    await expect(take(consumer, 1)).rejects.toThrow(/itself|what onDecodeError|deadLetterTopic/);
    expect(consumer.position({ topic: numbers, partition: 0 })).toBe(0);
  });

  test('does not keep close() from ending the loop', async () => {
    const { log } = await logOf(POISON);
    let asked = 0;
    const onDecodeError = (): Promise<never> => {
      asked++;
      return new Promise(() => {});
    };
    const consumer = consumerOf(log, { onDecodeError, group: 'g' });
    const reading = take(consumer, 1);
    await eventually(() => asked === 1);
    await consumer.close();
    expect(await reading).toEqual([]);
  });

  test('that answers after its loop was left has its say once, and nothing is passed over', async () => {
    const { log } = await logOf(POISON, '1', '2');
    const answers: ((action: 'skip') => void)[] = [];
    const onDecodeError = (): Promise<'skip'> => new Promise((resolve) => answers.push(resolve));
    const consumer = consumerOf(log, { onDecodeError });
    const left = consumer[Symbol.asyncIterator]();
    const first = left.next();
    await eventually(() => answers.length === 1);
    await left.return!();
    const reading = values(consumer, 2);
    await eventually(() => answers.length === 2);
    for (const answer of answers) answer('skip');
    expect(await reading).toEqual([1, 2]);
    expect(await first).toMatchObject({ done: true });
  });

  test('that answers after a seek has no say', async () => {
    const { log } = await logOf(POISON, '1', '2');
    let answer!: (action: 'fail') => void;
    const onDecodeError = (): Promise<'fail'> => new Promise((resolve) => (answer = resolve));
    const consumer = consumerOf(log, { onDecodeError });
    const reading = values(consumer, 1);
    await eventually(() => answer !== undefined);
    await consumer.seek(2);
    answer('fail');
    expect(await reading).toEqual([2]);
  });
});

describe('in run()', () => {
  test('a record that cannot be decoded goes the way of onError, without its handler', async () => {
    const { log } = await logOf('0', POISON, '2');
    const seen: unknown[] = [];
    const told: unknown[] = [];
    void consumerOf(log, { group: 'g' }).run({
      eachMessage: ({ value }) => void seen.push(value),
      onError: (error, message, attempt) => {
        told.push([(error as TablogError).code, message.value, attempt]);
        return 'skip';
      },
    });
    await eventually(async () => (await committed(log)) === 3);
    expect(seen).toEqual([0, 2]);
    expect(told).toEqual([['SERDE', new TextEncoder().encode(POISON), 1]]);
  });

  test("'stop' is the default: run rejects with SERDE, and it is the next one", async () => {
    const { log } = await logOf('0', POISON);
    const consumer = consumerOf(log, { group: 'g' });
    await expect(consumer.run({ eachMessage: () => {} })).rejects.toMatchObject(AT_1);
    expect(consumer.position({ topic: numbers, partition: 0 })).toBe(1);
    await expect(consumer.run({ eachMessage: () => {} })).rejects.toMatchObject(AT_1);
  });

  test.each([
    ["'retry'", 'retry' as const],
    ["a function that says 'retry'", (): 'retry' => 'retry'],
    ['a function that says later', (): { retryAfterMs: number } => ({ retryAfterMs: 9 })],
  ])('%s is what afterRetries says, at once', async (_, onError) => {
    const { log } = await logOf(POISON, '1');
    const seen: unknown[] = [];
    void consumerOf(log).run({
      eachMessage: ({ value }) => void seen.push(value),
      onError,
      retries: Infinity,
      afterRetries: 'deadLetter',
      deadLetterTopic: letters,
    });
    await eventually(() => seen.length === 1);
    expect((await readAll(log, letters))[0]!.header('tablog.attempts')).toBe('1');
  });

  test("the consumer's onDecodeError goes before onError, and its deadLetterTopic is run's", async () => {
    const { log } = await logOf(POISON, '1', '2');
    const consumer = consumerOf(log, {
      group: 'g',
      onDecodeError: 'skip',
      deadLetterTopic: letters,
    });
    const eachMessage = ({ value }: { value: unknown }): void => {
      if (value === 1) throw new Error('cannot');
    };
    void consumer.run({ eachMessage, onError: 'deadLetter' });
    await eventually(async () => (await committed(log)) === 3);
    const found = await readAll(log, letters);
    expect(found.map((letter) => letter.header('tablog.error'))).toEqual(['Error: cannot']);
  });

  test("the consumer's 'fail' stops it", async () => {
    const { log } = await logOf(POISON, '1');
    const consumer = consumerOf(log, { onDecodeError: 'fail' });
    const over = consumer.run({ eachMessage: () => {}, onError: 'skip' });
    await expect(over).rejects.toMatchObject({ code: 'SERDE' });
  });

  test('keeps its place among the messages of its key', async () => {
    const { log } = await logOf();
    await log.producer().sendBatch('numbers', [
      { key: 'a', value: '0' },
      { key: 'a', value: POISON },
      { key: 'b', value: '2' },
    ]);
    const open: (() => void)[] = [];
    void consumerOf(log, { group: 'g' }).run({
      eachMessage: () => new Promise((resolve) => void open.push(resolve)),
      concurrency: 3,
      onError: 'deadLetter',
      deadLetterTopic: letters,
    });
    await eventually(() => open.length === 2);
    await settle();
    expect(await countOf(log, letters)).toBe(0);
    for (const end of open) end();
    await eventually(async () => (await committed(log)) === 3);
    expect(await countOf(log, letters)).toBe(1);
  });
});

test('what cannot be encoded is bad input: its error names the topic and the field', async () => {
  const { log } = await logOf();
  const producer = log.producer();
  const failing = (thrown: unknown): typeof numbers => {
    const encode = (): never => {
      throw thrown;
    };
    return topic('numbers', { value: { encode, decode: () => 0 } });
  };
  const send = (thrown: unknown): Promise<unknown> =>
    producer.send(failing(thrown), { value: 1 }).catch((error: unknown) => error);
  const told = /^the value of a record for 'numbers' cannot be encoded: /;
  for (const thrown of [new Error('no'), 'a text', undefined, Object.create(null)]) {
    const error = (await send(thrown)) as Error;
    expect(error.constructor).toBe(TypeError);
    expect(error.message).toMatch(told);
    expect(error.cause).toBe(thrown);
  }
  expect(((await send(new RangeError('far'))) as Error).constructor).toBe(RangeError);
  const own = new TablogError(STORAGE_FULL, 'of a registry');
  expect(await send(own)).toBe(own);
  await expect(producer.send(numbers, { value: 1n as never })).rejects.toThrow(told);
});

test('a decode() that returns a promise is SERDE, and names waitFor()', async () => {
  const { log } = await logOf('0');
  const lost = new Error('nobody hears of it');
  const value = {
    encode: () => '',
    decode: () => Promise.reject(lost),
  } as unknown as Serde<string>;
  const consumer = log.consumer({ topics: [topic('numbers', { value })], from: 'earliest' });
  const error: unknown = await take(consumer, 1).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'SERDE' });
  expect((error as TablogError).message).toContain('context.waitFor(promise)');
});
