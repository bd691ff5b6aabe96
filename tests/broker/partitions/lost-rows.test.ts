import { beforeEach, describe, expect, test } from 'vitest';
import { LOG_CORRUPT } from '../../../src/base/error-rules.ts';
import { HEAD_KEY, partitionStore } from '../../../src/store/schema.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { ROWS, openDamagedLog, values } from '../damaged-log.ts';
import type { DamagedLog } from '../damaged-log.ts';

let log: DamagedLog;
beforeEach(async () => {
  log = await openDamagedLog();
});

describe('a row that the browser lost', () => {
  test.each([1, 50, 1024 * 1024])(
    'is LOG_CORRUPT with its range; what lies before is read first (%i bytes a fetch)',
    async (maxBytes) => {
      await log.lose(4);
      const { values: read, error } = await log.readFrom(0, maxBytes);
      expect(read).toEqual(values(0, 4));
      expect(error).toMatchObject({ ...LOG_CORRUPT, details: { partition: 0, from: 4, to: 6 } });
    },
  );

  test('leaves what lies behind it to who seeks past it', async () => {
    await log.lose(4);
    expect(await log.readFrom(6)).toEqual({ values: values(6, 10), error: undefined });
  });

  test('is told from within the range, too', async () => {
    await log.lose(4);
    expect((await log.readFrom(5)).error).toMatchObject({
      ...LOG_CORRUPT,
      details: { from: 5, to: 6 },
    });
  });

  test('is found at the start', async () => {
    await log.lose(0);
    expect((await log.readFrom(0)).error).toMatchObject({ details: { from: 0, to: 2 } });
  });

  test('is found at the end', async () => {
    await log.lose(8);
    const { values: read, error } = await log.readFrom(0);
    expect(read).toEqual(values(0, 8));
    expect(error).toMatchObject({ ...LOG_CORRUPT, details: { from: 8, to: 10 } });
  });

  test('is one range with its neighbours', async () => {
    await Promise.all([2, 4, 6].map((key) => log.lose(key)));
    const { values: read, error } = await log.readFrom(0);
    expect(read).toEqual(values(0, 2));
    expect(error).toMatchObject({ details: { from: 2, to: 8 } });
  });

  test('is no gap in offsets: what comes next is appended behind', async () => {
    await log.lose(8);
    expect(await log.broker().append(log.topic, 'v10')).toBe(10);
    expect(await log.readFrom(10)).toEqual({ values: ['v10'], error: undefined });
  });

  test('where all rows are gone, is all of the range', async () => {
    await Promise.all(ROWS.map((key) => log.lose(key)));
    expect((await log.readFrom(0)).error).toMatchObject({ details: { from: 0, to: 10 } });
  });

  test('where the head is gone as well, is told by the address of its row: the topic is still there', async () => {
    await log.loseEverything();
    const lost = {
      code: 'LOG_CORRUPT',
      details: { store: partitionStore(0), key: HEAD_KEY },
      next: 'Delete the topic and create it again; other topics go on.',
    };
    const { broker } = log.broker();
    const { id, name } = log.topic;
    const at = { topicId: id, partition: 0, at: 'latest' } as const;
    expect((await log.readFrom(0)).error).toMatchObject(lost);
    expect(await errorOf(log.broker().append(log.topic, 'x'))).toMatchObject(lost);
    expect(await errorOf(broker.listOffsets([at]))).toMatchObject(lost);
    expect(await errorOf(broker.describeTopics([name]))).toMatchObject(lost);
    await broker.deleteTopics([name]);
    expect((await log.readFrom(0)).error).toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(await errorOf(log.broker().append(log.topic, 'x'))).toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
  });
});
