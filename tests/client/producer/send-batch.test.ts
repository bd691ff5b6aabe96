import { describe, expect, test } from 'vitest';
import { bytes, string, topic } from '../../../src/index.ts';
import type { ProducerRecord } from '../../../src/index.ts';
import { countOf, logWith, numbered, openTab, readAll, texts } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';

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

test('rejects when any record was not stored; the others are', async () => {
  const host = stubHost();
  const log = await openTab(host);
  await log.admin.createTopics([wide]);
  host.answer('produce', async (request, real) => {
    const appends = request.appends.filter(({ partition }) => partition !== 1);
    const [first, last] = await real({ ...request, appends });
    return [first!, { error: lost }, last!];
  });
  const records = numbered(3).map((record, partition) => ({ ...record, partition }));
  const sent = log.producer().sendBatch(wide, records);
  await expect(sent).rejects.toMatchObject({ code: 'STORAGE_FULL', retriable: true });
  expect(texts(await readAll(log, topic('wide', { value: bytes() })))).toEqual(['0', '2']);
});

const lost = {
  code: 'STORAGE_FULL',
  outcome: 'refused',
  retriable: true,
  next: 'Free some.',
  happened: 'the disk is full',
  details: {},
} as const;
