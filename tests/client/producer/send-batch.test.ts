import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { logDeleted } from '../../../src/base/error.ts';
import { SendBatchError, TablogError, bytes, string, topic } from '../../../src/index.ts';
import type { Log, ProducerRecord } from '../../../src/index.ts';
import {
  AN_HOUR_MS,
  countOf,
  logWith,
  numbered,
  readAll,
  texts,
} from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const wide = topic('wide', { key: string(), value: string(), partitions: 3, maxRecordBytes: 100 });

test('resolves with the places in the order given, over all partitions', async () => {
  const log = await logWith(wide);
  const records = numbered(30).map((record, i) => ({ ...record, partition: i % 3 }));
  const placed = await log.producer().sendBatch(wide, records);
  expect(placed).toEqual(
    records.map(({ partition }, i) => ({
      topic: 'wide',
      partition,
      offset: Math.floor(i / 3),
      timestamp: expect.any(Number) as number,
    })),
  );
});

test('keeps its order among sends', async () => {
  const log = await logWith('t');
  const producer = log.producer();
  await Promise.all([
    producer.send('t', { value: 'first' }),
    producer.sendBatch('t', numbered(3)),
    producer.send('t', { value: 'last' }),
  ]);
  expect(texts(await readAll(log, 't'))).toEqual(['first', '0', '1', '2', 'last']);
});

test('an empty array is nothing to do, even for a topic that does not exist', async () => {
  const log = await logWith();
  expect(await log.producer().sendBatch('nowhere', [])).toEqual([]);
});

test('takes more than one batch can hold', async () => {
  const log = await logWith('t');
  const placed = await log.producer({ batchBytes: 1000 }).sendBatch('t', numbered(2000));
  expect(placed.map(({ offset }) => offset)).toEqual(
    numbered(2000).map(({ value }) => Number(value)),
  );
});

type WideRecord = ProducerRecord<string, string>;

const MISTAKES: [what: string, record: WideRecord, error: string | RegExp][] = [
  ['an undefined value', { value: undefined as never }, 'undefined'],
  ['a value of another type', { value: 5 as never }, 'got 5'],
  ['no record', null as never, 'got null'],
  ['a partition that is not there', { value: 'v', partition: 3 }, 'none 3'],
  ['a negative timestamp', { value: 'v', timestamp: -1 }, 'got -1'],
  ['a header without a value', { value: 'v', headers: { h: undefined as never } }, '"h"'],
  ['a record that is too large', { value: 'v'.repeat(101) }, 'RECORD_TOO_LARGE'],
];

describe.each([
  ['while the topic is unknown', false],
  ['when the topic is known', true],
])('one mistake sends nothing, %s', (_, known) => {
  test.each(MISTAKES)('%s', async (_, mistake, message) => {
    await expectNothingSent(known, mistake, message);
  });

  test('a text that has no UTF-8', async () => {
    await expectNothingSent(known, { value: '\ud800' }, 'lone surrogate');
  });
});

async function expectNothingSent(
  known: boolean,
  mistake: WideRecord,
  message: string | RegExp,
): Promise<void> {
  const log = await logWith(wide);
  const producer = log.producer();
  if (known) await producer.send(wide, { value: 'before' });
  const sent = producer.sendBatch(wide, [{ value: 'v' }, mistake, { value: 'v' }]);
  await expect(sent).rejects.toThrow(message);
  expect(await countOf(log, wide)).toBe(known ? 1 : 0);
}

describe('where a record could not be stored', () => {
  /** What became of a batch that rejects. */
  async function failureOf(sent: Promise<unknown>): Promise<SendBatchError> {
    const error: unknown = await sent.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SendBatchError);
    return error as SendBatchError;
  }

  async function stubbed(): Promise<{ host: StubHost; log: Log }> {
    const { log, host } = await stubbedLog(wide);
    return { host, log };
  }

  const places = (error: SendBatchError): (number | string)[] =>
    error.results.map((result) => ('offset' in result ? result.offset : result.code));

  const valuesOf = async (log: Log): Promise<(string | null)[]> =>
    texts(await readAll(log, topic('wide', { value: bytes() })));

  test('the others are, and the error tells of each, by its index', async () => {
    const { host, log } = await stubbed();
    host.answer('produce', async (request, real) => {
      const appends = request.appends.filter(({ partition }) => partition !== 1);
      const [first, last] = await real({ ...request, appends });
      return [first!, { error: lost }, last!];
    });
    const records = numbered(3).map((record, partition) => ({ ...record, partition }));
    const error = await failureOf(log.producer().sendBatch(wide, records));
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toMatchObject({ name: 'TablogError', code: 'STORAGE_FULL', outcome: 'unknown' });
    expect(error.retriable).toBe(false); // a second call would store the others twice
    expect(error.message).toBe(
      'STORAGE_FULL: 1 of 3 failed, the first at index 1: the disk is full. Free some. ' +
        'See results for what became of each, and send only those again that failed.',
    );
    expect(error.cause).toBe(error.results[1]);
    expect(error.results).toMatchObject([
      { topic: 'wide', partition: 0, offset: 0 },
      { code: 'STORAGE_FULL', retriable: true },
      { topic: 'wide', partition: 2, offset: 0 },
    ]);
    expect(await valuesOf(log)).toEqual(['0', '2']);
  });

  test('those that failed can be sent again, and all are stored once', async () => {
    const { host, log } = await stubbed();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls !== 2) return real(request);
      return request.appends.map(() => ({ error: lost }));
    });
    const producer = log.producer({ batchBytes: 1 });
    let records = numbered(20).map((record, i) => ({ ...record, partition: i % 3 }));
    const { results } = await failureOf(producer.sendBatch(wide, records));
    records = records.filter((_, i) => results[i] instanceof TablogError);
    expect(records.length).toBeGreaterThan(0);
    expect(records.length).toBeLessThan(20);
    await producer.sendBatch(wide, records);
    const values = (await valuesOf(log)).map(Number).sort((a, b) => a - b);
    expect(values).toEqual(numbered(20).map((_, i) => i));
  });

  test('all of them: the call may be repeated where each of them may', async () => {
    const { host, log } = await stubbed();
    host.answer('produce', async ({ appends }) => appends.map(() => ({ error: lost })));
    const error = await failureOf(log.producer().sendBatch(wide, numbered(3)));
    expect(error).toMatchObject({ code: 'STORAGE_FULL', outcome: 'refused', retriable: true });
    expect(places(error)).toEqual(['STORAGE_FULL', 'STORAGE_FULL', 'STORAGE_FULL']);
    host.answer('produce', undefined);
    expect(await log.producer().sendBatch(wide, numbered(3))).toHaveLength(3);
  });

  test('a conflict is of one record', async () => {
    const { log } = await stubbed();
    const records = [
      { value: '0', partition: 0 },
      { value: '1', partition: 0, expectedOffset: 7 },
      { value: '2', partition: 0 },
      { value: '3', partition: 0, expectedOffset: 2 },
      { value: '4', partition: 1, expectedOffset: 0 },
      { value: '5', partition: 1, expectedOffset: 0 },
    ];
    const error = await failureOf(log.producer().sendBatch(wide, records));
    expect(places(error)).toEqual([0, 'CONFLICT', 1, 2, 0, 'CONFLICT']);
    expect(error).toMatchObject({ details: { expectedOffset: 7, endOffset: 1 } });
    expect(await valuesOf(log)).toEqual(['0', '2', '3', '4']);
  });

  test('it rejects once it is known of all', async () => {
    const { host, log } = await stubbed();
    const gate = deferred();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls === 1) return request.appends.map(() => ({ error: lost }));
      await gate.promise;
      return real(request);
    });
    const producer = log.producer({ batchBytes: 1 });
    const records = numbered(12).map((record) => ({ ...record, partition: 0 }));
    let isSettled = false;
    const sent = failureOf(producer.sendBatch(wide, records)).finally(() => (isSettled = true));
    await settle();
    expect(calls).toBeGreaterThan(1);
    expect(isSettled).toBe(false);
    gate.resolve();
    const error = await sent;
    expect(error.results.filter((result) => 'offset' in result).length).toBeGreaterThan(0);
  });

  test('because the log was deleted meanwhile, the error tells what was stored before', async () => {
    const { host, log } = await stubbed();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls === 1) return real(request);
      throw logDeleted(log.name);
    });
    const producer = log.producer({ batchBytes: 1 });
    const records = numbered(12).map((record) => ({ ...record, partition: 0 }));
    const error = await failureOf(producer.sendBatch(wide, records));
    expect(error).toMatchObject({ code: 'CLOSED', details: { reason: 'deleted' } });
    expect(error.results[0]).toMatchObject({ offset: 0 });
    expect(error.results.at(-1)).toMatchObject({ code: 'CLOSED' });
  });

  test('not where the producer closes meanwhile: what was taken is stored', async () => {
    const { log } = await stubbed();
    const producer = log.producer({ lingerMs: AN_HOUR_MS });
    const sent = producer.sendBatch(wide, numbered(30));
    await producer.close();
    expect(await sent).toHaveLength(30);
    expect(await countOf(log, wide)).toBe(30);
  });

  test('because of a mistake, nothing was taken, and the error is the mistake', async () => {
    const { log } = await stubbed();
    const mistake = new RangeError('no such place');
    const partitioner = ({ value }: { readonly value: unknown }): number => {
      if (value === '1') throw mistake;
      return 0;
    };
    const producer = log.producer({ partitioner });
    await expect(producer.sendBatch(wide, numbered(3))).rejects.toBe(mistake);
    const unknown = await producer.sendBatch('none', numbered(3)).catch((error: unknown) => error);
    expect(unknown).toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(unknown).not.toBeInstanceOf(SendBatchError);
    expect(await countOf(log, wide)).toBe(0);
  });
});

const lost = {
  code: 'STORAGE_FULL',
  outcome: 'refused',
  retriable: true,
  next: 'Free some.',
  happened: 'the disk is full',
  details: {},
} as const;

test.each([
  ['a value that cannot be encoded', { value: 7 as unknown as string }],
  ['a record that is too large', { value: 'v'.repeat(101) }],
  ['a partition that the topic does not have', { value: 'v', partition: 9 }],
])('names the record by its index: %s', async (_, mistaken) => {
  const log = await logWith(wide);
  const records = [...numbered(2), mistaken, ...numbered(2)];
  const error: unknown = await log
    .producer()
    .sendBatch(wide, records)
    .catch((thrown: unknown) => thrown);
  expect((error as Error).message).toMatch(/\(record 2( of 5)?\)/);
  expect(await countOf(log, 'wide')).toBe(0);
});
