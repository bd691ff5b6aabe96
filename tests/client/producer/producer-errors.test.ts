import { describe, expect, test, vi } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_FULL, WORKER_LOST } from '../../../src/base/error-rules.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { countOf, logWith, openTwoTabs, readAll, texts } from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

async function stubbed(): Promise<{ host: StubHost; log: Log }> {
  const { log, host } = await stubbedLog(topic('t', { partitions: 3 }));
  return { host, log };
}

describe('a record over maxRecordBytes', () => {
  test('fails alone', async () => {
    const log = await logWith(topic('t', { maxRecordBytes: 100 }));
    const producer = log.producer();
    const sizes = [100, 101, 100, 5000, 1];
    const settled = await Promise.allSettled(
      sizes.map((size) => producer.send('t', { value: new Uint8Array(size) })),
    );
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
    expect(settled[1]).toMatchObject({ reason: { code: 'RECORD_TOO_LARGE', retriable: false } });
    expect(String((settled[1] as PromiseRejectedResult).reason)).toMatch(/101.*100/);
    expect(await countOf(log, 't')).toBe(3);
  });

  test('counts key, value and headers in bytes of UTF-8', async () => {
    const log = await logWith(topic('t', { maxRecordBytes: 10 }));
    const producer = log.producer();
    await producer.send('t', { key: 'é', value: 'abc', headers: { h: '1234' } });
    await expect(
      producer.send('t', { key: 'é', value: 'abcd', headers: { h: '1234' } }),
    ).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
  });

  test('is taken once the topic allows it', async () => {
    const log = await logWith(topic('t', { maxRecordBytes: 10 }));
    const producer = log.producer();
    const record = { value: 'x'.repeat(20) };
    await expect(producer.send('t', record)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
    await log.admin.alterTopics([{ topic: 't', config: { maxRecordBytes: 20 } }]);
    await producer.send('t', record);
  });
});

describe('what the broker says, to a producer that is not idempotent', () => {
  const refused = new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');

  test('about one partition rejects the records of that partition', async () => {
    const { host, log } = await stubbed();
    host.answer('produce', async (request, real) => {
      const results = await real(request);
      return results.map((result, i) =>
        request.appends[i]!.partition === 1 ? { error: toErrorData(refused) } : result,
      );
    });
    const producer = log.producer({ idempotent: false });
    const settled = await Promise.allSettled(
      [0, 1, 2, 1].map((partition) => producer.send('t', { value: 'v', partition })),
    );
    expect(settled).toMatchObject([
      { value: { partition: 0 } },
      { reason: { name: 'TablogError', code: 'OUTCOME_UNKNOWN' } },
      { value: { partition: 2 } },
      { reason: { code: 'OUTCOME_UNKNOWN' } },
    ]);
  });

  test('about a request rejects its records, and the next one goes on', async () => {
    const { host, log } = await stubbed();
    const producer = log.producer({ idempotent: false });
    host.answer('produce', () => Promise.reject(refused));
    const lost = [1, 2].map((i) => producer.send('t', { value: String(i), partition: 0 }));
    for (const sent of lost) await expect(sent).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(sentBy(host)).toHaveLength(1); // it may have been stored: nobody sends it again
    host.answer('produce', undefined);
    await producer.send('t', { value: '3', partition: 0 });
    expect(texts(await readAll(log, 't'))).toEqual(['3']);
  });

  test('keeps code, details and the next step', async () => {
    const { host, log } = await stubbed();
    const full = new TablogError(STORAGE_FULL, 'no room', { details: { bytes: 7 } });
    host.answer('produce', ({ appends }) =>
      Promise.resolve(appends.map(() => ({ error: toErrorData(full) }))),
    );
    const error: unknown = await log
      .producer()
      .send('t', { value: 'v' })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toEqual(full);
  });

  test('is INTERNAL with its cause where it is no TablogError', async () => {
    const { host, log } = await stubbed();
    const cause = new Error('a bug');
    host.answer('produce', () => Promise.reject(cause));
    await expect(log.producer().send('t', { value: 'v' })).rejects.toMatchObject({
      code: 'INTERNAL',
      cause,
    });
  });

  test('WORKER_LOST: nothing was sent, so it is sent again', async () => {
    const { host, log } = await stubbed();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls === 1) throw new TablogError(WORKER_LOST, 'the worker has died');
      return real(request);
    });
    await log.producer().send('t', { value: 'v' });
    expect(await countOf(log, 't')).toBe(1);
  });
});

describe('topics that come and go', () => {
  test('a topic that does not exist is UNKNOWN_TOPIC until it does', async () => {
    const log = await logWith();
    const producer = log.producer();
    const error = producer.send('t', { value: 'v' });
    await expect(error).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC', details: { topic: 't' } });
    await log.admin.createTopics(['t']);
    expect(await producer.send('t', { value: 'v' })).toMatchObject({ offset: 0 });
  });

  test('one that was deleted and made again is another one', async () => {
    const log = await logWith(topic('t', { partitions: 2 }));
    const producer = log.producer();
    await producer.send('t', { value: 'old', partition: 1 });
    await log.admin.deleteTopics(['t']);
    await expect(producer.send('t', { value: 'v' })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    await log.admin.createTopics(['t']);
    expect(await producer.send('t', { value: 'new' })).toMatchObject({ partition: 0, offset: 0 });
    expect(texts(await readAll(log, 't'))).toEqual(['new']);
  });

  test('also when another tab did it', async () => {
    const [mine, other] = await openTwoTabs('t');
    const producer = mine.producer();
    await producer.send('t', { value: 'old' });
    await other.admin.deleteTopics(['t']);
    await other.admin.createTopics(['t']);
    // The news may still be on the way: a record for the old topic is refused, never misplaced.
    const first = await producer.send('t', { value: 'new' }).catch((error: unknown) => error);
    if (first instanceof TablogError) {
      expect(first.code).toBe('UNKNOWN_TOPIC');
      await producer.send('t', { value: 'new' });
    }
    expect(texts(await readAll(other, 't'))).toEqual(['new']);
  });

  test('partitions that another tab adds are used', async () => {
    const [mine, other] = await openTwoTabs('t');
    const producer = mine.producer();
    await producer.send('t', { value: 'v' });
    await other.admin.createPartitions([{ topic: 't', partitions: 3 }]);
    // As soon as the news has come.
    const placed = await vi.waitFor(() => producer.send('t', { value: 'v', partition: 2 }));
    expect(placed.offset).toBe(0);
    const keyed = await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => producer.send('t', { key, value: 'v' })),
    );
    expect(new Set(keyed.map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });
});
