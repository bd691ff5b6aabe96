import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../../src/base/error-rules.ts';
import { TablogError, string, topic } from '../../../src/index.ts';
import type { Log, RecordMetadata, Producer } from '../../../src/index.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import {
  logWith,
  memoryHost,
  openTab,
  openTwoTabs,
  readAll,
  texts,
} from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

const t = topic('t', { key: string(), value: string(), partitions: 2 });

const lost = new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');

const conflict = (expectedOffset: number, endOffset: number): object => ({
  name: 'TablogError',
  code: 'CONFLICT',
  retriable: false,
  details: { partition: 0, expectedOffset, endOffset },
});

function send(
  producer: Producer,
  value: string,
  expectedOffset?: number,
  partition = 0,
): Promise<RecordMetadata> {
  const expected = expectedOffset === undefined ? {} : { expectedOffset };
  return producer.send(t, { value, partition, ...expected });
}

const values = async (log: Log): Promise<(string | null)[]> =>
  (await readAll(log, t)).map(({ value }) => value);

async function stubbed(): Promise<{ host: StubHost; log: Log; producer: Producer }> {
  const { log, host } = await stubbedLog(t);
  await log.admin.listOffsets([{ topic: t, at: 'latest' }]); // the topic is known now
  return { host, log, producer: log.producer() };
}

describe('a record that is expected at an offset', () => {
  test('is stored there, in an empty partition and behind others', async () => {
    const log = await logWith(t);
    const producer = log.producer();
    expect(await send(producer, '0', 0)).toMatchObject({ partition: 0, offset: 0 });
    expect(await send(producer, '1', 1)).toMatchObject({ offset: 1 });
    await send(producer, '2');
    expect(await send(producer, '3', 3)).toMatchObject({ offset: 3 });
    expect(await values(log)).toEqual(['0', '1', '2', '3']);
  });

  test('is stored nowhere where the partition has moved on, or is not there yet', async () => {
    const log = await logWith(t);
    const producer = log.producer();
    await send(producer, '0');
    await send(producer, '1');
    for (const expected of [0, 1, 3, Number.MAX_SAFE_INTEGER]) {
      await expect(send(producer, 'no', expected)).rejects.toMatchObject(conflict(expected, 2));
    }
    expect(await values(log)).toEqual(['0', '1']);
    expect(await send(producer, '2', 2)).toMatchObject({ offset: 2 });
  });

  test('says what happened and what to do', async () => {
    const log = await logWith(t);
    const error: unknown = await send(log.producer(), 'no', 7).catch((e: unknown) => e);
    expect(String(error)).toMatch(/partition 0 is 0, not 7.*Read/);
  });

  test('goes by its partition, or by that of its key', async () => {
    const log = await logWith(t);
    const producer = log.producer();
    await send(producer, 'x', 0, 1);
    await send(producer, 'y', 0, 0);
    const keyed = { key: 'k', value: 'z', expectedOffset: 1 };
    expect(await producer.send(t, keyed)).toMatchObject({ offset: 1 });
    await expect(producer.send(t, keyed)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { expectedOffset: 1, endOffset: 2 },
    });
  });

  test('works without idempotence, with linger and with gzip', async () => {
    const log = await logWith(t);
    let offset = 0;
    for (const options of [
      { idempotent: false },
      { lingerMs: 5 },
      { compression: 'gzip' },
    ] as const) {
      const producer = log.producer(options);
      expect(await send(producer, 'x', offset)).toMatchObject({ offset });
      await expect(send(producer, 'no', offset)).rejects.toMatchObject({ code: 'CONFLICT' });
      offset++;
    }
  });

  test('is told of the conflict while others of its transaction are stored', async () => {
    const log = await logWith(t);
    const producers = Array.from({ length: 4 }, () => log.producer());
    const settled = await Promise.allSettled(producers.map((each, i) => send(each, `${i}`, 0)));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await values(log)).toHaveLength(1);
  });
});

describe('others of the same partition keep their order around it', () => {
  test('where it is right', async () => {
    const log = await logWith(t);
    const producer = log.producer({ lingerMs: 1 });
    const sent = await Promise.all([
      send(producer, '0'),
      send(producer, '1'),
      send(producer, '2', 2),
      send(producer, '3'),
      send(producer, '4', 4),
      send(producer, '5', 5),
      send(producer, '6'),
    ]);
    expect(sent.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await values(log)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  test.each([
    ['the first', { 0: 9 }],
    ['one amid others', { 3: 0 }],
    ['two of them', { 1: 9, 4: 9 }],
    ['two in a row', { 2: 9, 3: 9 }],
    ['the last', { 6: 0 }],
  ])('where %s is in conflict', async (_, wrong: Readonly<Record<number, number>>) => {
    const log = await logWith(t);
    const producer = log.producer();
    await send(producer, 'warm');
    const all = [0, 1, 2, 3, 4, 5, 6];
    const settled = await Promise.allSettled(all.map((i) => send(producer, `${i}`, wrong[i])));
    const stored = all.filter((i) => wrong[i] === undefined);
    expect(settled.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []))).toEqual(
      stored,
    );
    for (const result of settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT' });
    }
    expect(await values(log)).toEqual(['warm', ...stored.map(String)]);
    await send(producer, 'after');
    expect((await values(log)).at(-1)).toBe('after');
  });

  test('in a batch of its own, so that a conflict is of one record', async () => {
    const { host, producer } = await stubbed();
    await Promise.allSettled([send(producer, '0'), send(producer, 'no', 9), send(producer, '2')]);
    expect(
      new Set(
        sentBy(host)
          .flat()
          .map(({ records }) => records),
      ),
    ).toEqual(new Set([1]));
  });

  test('of other partitions know nothing of it', async () => {
    const log = await logWith(t);
    const producer = log.producer();
    const settled = await Promise.allSettled([
      send(producer, 'a', 5, 0),
      send(producer, 'b', undefined, 1),
      send(producer, 'c', 1, 1),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });
});

describe('of those who expect the same offset', () => {
  test('in two tabs exactly one gets it', async () => {
    const [mine, other] = await openTwoTabs(t);
    const producers = [mine.producer(), other.producer()] as const;
    for (let offset = 0; offset < 20; offset++) {
      const race = producers.map((producer, i) => send(producer, `${i}`, offset));
      const settled = await Promise.allSettled(offset % 2 === 0 ? race : race.reverse());
      const lost = settled.filter(({ status }) => status === 'rejected');
      expect(lost).toMatchObject([{ reason: conflict(offset, offset + 1) }]);
    }
    expect(await values(mine)).toHaveLength(20);
  });

  test('one tab counts up, and so do all others: none is lost and none counted twice', async () => {
    const WRITERS = 5;
    const EACH = 12;
    const host = memoryHost();
    const first = await openTab(host);
    await first.admin.createTopics([t]);
    const increment = async (log: Log, producer: Producer): Promise<void> => {
      for (;;) {
        const messages = (await readAll(log, t)).filter(({ partition }) => partition === 0);
        const last = messages.at(-1);
        const count = last === undefined ? 0 : Number(last.value);
        const expected = last === undefined ? 0 : last.offset + 1;
        try {
          await send(producer, String(count + 1), expected);
          return;
        } catch (error) {
          if (!(error instanceof TablogError) || error.code !== 'CONFLICT') throw error;
        }
      }
    };
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        const log = await openTab(host, first.name);
        const producer = log.producer();
        for (let i = 0; i < EACH; i++) await increment(log, producer);
      }),
    );
    const counts = Array.from({ length: WRITERS * EACH }, (_, i) => String(i + 1));
    expect(await values(first)).toEqual(counts);
  });
});

describe('a lost answer', () => {
  test('is asked for again, and tells the place: not of a conflict with itself', async () => {
    const { host, log, producer } = await stubbed();
    await send(producer, 'warm');
    let calls = 0;
    host.answer('produce', async (request, real) => {
      const results = await real(request);
      if (++calls === 1) throw lost;
      return results;
    });
    expect(await send(producer, 'v', 1)).toMatchObject({ offset: 1 });
    expect(await values(log)).toEqual(['warm', 'v']);
  });

  test('tells the place also where others have written since', async () => {
    const { host, log, producer } = await stubbed();
    const other = log.producer();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls !== 1) return real(request);
      await real(request);
      await send(other, 'of another');
      throw lost;
    });
    expect(await send(producer, 'v', 0)).toMatchObject({ offset: 0 });
    expect(await values(log)).toEqual(['v', 'of another']);
  });

  test('of one that was not stored is a conflict, if another was faster', async () => {
    const { host, log, producer } = await stubbed();
    const other = log.producer();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls !== 1) return real(request);
      await send(other, 'of another');
      throw lost;
    });
    await expect(send(producer, 'v', 0)).rejects.toMatchObject(conflict(0, 1));
    expect(await values(log)).toEqual(['of another']);
  });

  test('of one that is behind a conflict tells its place too', async () => {
    const { host, log, producer } = await stubbed();
    await send(producer, 'warm');
    let calls = 0;
    host.answer('produce', async (request, real) => {
      const results = await real(request);
      if (++calls > 1) return results;
      return results.map((result) => ('error' in result ? result : { error: toErrorData(lost) }));
    });
    const wrong = send(producer, 'no', 9).catch((error: unknown) => error);
    const right = send(producer, 'v', 1);
    expect(await wrong).toMatchObject({ code: 'CONFLICT' });
    expect(await right).toMatchObject({ offset: 1 });
    expect(await values(log)).toEqual(['warm', 'v']);
  });

  test('is not a conflict of a new producer either, whose first record is late', async () => {
    const { host, log, producer } = await stubbed();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls === 1) throw lost;
      return real(request);
    });
    const sent = await Promise.all([send(producer, '0', 0), send(producer, '1', 1)]);
    expect(sent.map(({ offset }) => offset)).toEqual([0, 1]);
    expect(await values(log)).toEqual(['0', '1']);
  });

  test('is OUTCOME_UNKNOWN to a producer that is not idempotent', async () => {
    const { host, log } = await stubbed();
    host.answer('produce', async (request, real) => {
      await real(request);
      throw lost;
    });
    const sent = send(log.producer({ idempotent: false }), 'v', 0);
    await expect(sent).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await values(log)).toEqual(['v']);
  });
});

describe('bad arguments are refused, and nothing is sent', () => {
  const wrong = (value: unknown): never => value as never;
  const good = { value: 'v', partition: 0 };

  test.each<[string, object, typeof Error, RegExp]>([
    ['negative', { ...good, expectedOffset: -1 }, RangeError, /expectedOffset.*at least 0, got -1/],
    ['NaN', { ...good, expectedOffset: Number.NaN }, RangeError, /expectedOffset.*got NaN/],
    ['a fraction', { ...good, expectedOffset: 0.5 }, RangeError, /expectedOffset.*got 0\.5/],
    [
      'unsafe',
      { ...good, expectedOffset: 2 ** 53 },
      RangeError,
      /expectedOffset.*got 9007199254740992/,
    ],
    ['text', { ...good, expectedOffset: '0' }, TypeError, /expectedOffset.*got "0"/],
    ['a bigint', { ...good, expectedOffset: 1n }, TypeError, /expectedOffset.*got 1n/],
    // Not as if it were left out: who reads an offset and has none would append anywhere.
    ['null', { ...good, expectedOffset: null }, TypeError, /expectedOffset.*got null/],
    [
      'a misspelt field',
      { ...good, expectOffset: 0 },
      TypeError,
      /"expectOffset": did you mean expectedOffset/,
    ],
    [
      'neither key nor partition',
      { value: 'v', expectedOffset: 0 },
      TypeError,
      /key or a partition/,
    ],
    [
      'a key of null',
      { key: null, value: 'v', expectedOffset: 0 },
      TypeError,
      /key or a partition/,
    ],
    [
      'a partition that is not there',
      { value: 'v', partition: 2, expectedOffset: 0 },
      RangeError,
      /none 2/,
    ],
  ])('%s', async (_, record, type, message) => {
    for (const many of [false, true]) {
      const { host, producer } = await stubbed();
      const sent = many
        ? producer.sendBatch('t', [{ value: 'w' }, wrong(record)])
        : producer.send('t', wrong(record));
      await expect(sent).rejects.toThrow(type);
      await expect(sent).rejects.toThrow(message);
      await producer.flush();
      expect(sentBy(host)).toEqual([]);
    }
  });

  test.each<[string, unknown, RegExp]>([
    [
      'where it was an option',
      { expectedOffset: 0 },
      /no option "expectedOffset": did you mean send\(topic, \{ key, value, expectedOffset \}\)/,
    ],
    ['no options', null, /options, got null/],
    ['a number for options', 0, /options, got 0/],
  ])('%s', async (_, options, message) => {
    const { host, producer } = await stubbed();
    for (const sent of [
      producer.send('t', good, wrong(options)),
      producer.sendBatch('t', [good], wrong(options)),
    ]) {
      await expect(sent).rejects.toThrow(TypeError);
      await expect(sent).rejects.toThrow(message);
    }
    await producer.flush();
    expect(sentBy(host)).toEqual([]);
  });

  test('undefined is as if it were left out', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await producer.send('t', { value: 'a', expectedOffset: wrong(undefined) });
    await producer.send('t', { value: 'b' }, {});
    await producer.send('t', { value: 'c' }, wrong(undefined));
    expect(texts(await readAll(log, 't'))).toEqual(['a', 'b', 'c']);
  });
});
