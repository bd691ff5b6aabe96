import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import { logWith } from '../../support/log-fixture.ts';

const BAD: [string, object, string][] = [
  ['retention of 0 ms', { retention: { ms: 0 } }, 'retention.ms must be an integer of at least 1'],
  ['NaN ms', { retention: { ms: Number.NaN } }, 'retention.ms must be an integer of at least 1'],
  ['-1 ms', { retention: { ms: -1 } }, 'retention.ms must be an integer of at least 1, got -1'],
  ['endless ms', { retention: { ms: Infinity } }, 'retention.ms must be an integer'],
  ['ms as text', { retention: { ms: '7d' } }, 'retention.ms must be an integer'],
  ['0 bytes', { retention: { bytes: 0 } }, 'retention.bytes must be an integer of at least 1'],
  ['NaN bytes', { retention: { bytes: Number.NaN } }, 'retention.bytes must be an integer'],
  ['-1 bytes', { retention: { bytes: -1 } }, 'retention.bytes must be an integer of at least 1'],
  ['a misspelt bound', { retention: { hours: 1 } }, 'retention has no option "hours"'],
  ['null', { retention: null }, 'retention takes an object of options, got null'],
  ['a number', { retention: 1_000 }, 'retention takes an object of options, got 1000'],
  ['an unknown cleanup', { cleanup: 'none' }, 'cleanup must be one of "delete", "compact"'],
  ['cleanup as array', { cleanup: ['compact'] }, 'cleanup must be one of'],
  ['deleteRetentionMs -1', { deleteRetentionMs: -1 }, 'deleteRetentionMs must be an integer'],
  ['deleteRetentionMs NaN', { deleteRetentionMs: Number.NaN }, 'deleteRetentionMs must be'],
  ['one group', { protectUncommitted: 'mail' }, 'protectUncommitted takes an array'],
  ['a bad group name', { protectUncommitted: ['a b'] }, 'a group name must be 1 to 200'],
];

describe.each(BAD)('%s', (_, options, message) => {
  test('is refused by topic()', () => {
    expect(() => topic('t', options)).toThrow(message);
  });

  test('is refused by alterTopics(), and nothing changes', async () => {
    const log = await logWith('t');
    const [before] = await log.admin.describeTopics(['t']);
    await expect(log.admin.alterTopics([{ topic: 't', config: options }])).rejects.toThrow(message);
    expect(await log.admin.describeTopics(['t'])).toEqual([before]);
  });
});

test('a topic keeps everything unless it says otherwise', async () => {
  const log = await logWith('t');
  expect((await log.admin.describeTopics(['t']))[0].config).toMatchObject({
    cleanup: 'delete',
    retention: { ms: null, bytes: null },
    deleteRetentionMs: 86_400_000,
    protectUncommitted: [],
  });
});

test('alterTopics changes one bound, and the other stays', async () => {
  const log = await logWith(topic('t', { retention: { ms: 1_000, bytes: 5_000 } }));
  await log.admin.alterTopics([{ topic: 't', config: { retention: { ms: 2_000 } } }]);
  expect((await log.admin.describeTopics(['t']))[0].config.retention).toEqual({
    ms: 2_000,
    bytes: 5_000,
  });
  await log.admin.alterTopics([{ topic: 't', config: { retention: { ms: null } } }]);
  expect((await log.admin.describeTopics(['t']))[0].config.retention).toEqual({
    ms: null,
    bytes: 5_000,
  });
});

test('a topic that exists with other bounds is TOPIC_EXISTS', async () => {
  const log = await logWith(topic('t', { retention: { ms: 1_000 } }));
  await log.admin.createTopics([topic('t', { retention: { ms: 1_000 } })]);
  await log.admin.createTopics(['t']);
  await expect(
    log.admin.createTopics([topic('t', { retention: { ms: 2_000 } })]),
  ).rejects.toMatchObject({ code: 'TOPIC_EXISTS' });
});

describe('a compacted topic', () => {
  test('refuses a record without a key, and only that', async () => {
    const log = await logWith(topic('t', { cleanup: 'compact' }));
    const producer = log.producer();
    const sends = [
      producer.send('t', { key: 'a', value: '1' }),
      producer.send('t', { value: '2' }),
      producer.send('t', { key: 'b', value: '3' }),
    ];
    const settled = await Promise.allSettled(sends);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await log.admin.describeTopics(['t']))[0].partitions[0]!.endOffset).toBe(2);
  });
});
