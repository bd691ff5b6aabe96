import { expect, test } from 'vitest';
import { countOf, logWith, readAll, texts } from '../support/log-fixture.ts';

test('stores records of several topics and the offsets of a consumer together', async () => {
  const log = await logWith('in', 'out');
  const producer = log.producer();
  for (const value of ['a', 'b', 'c']) await producer.send('in', { value, partition: 0 });
  const consumer = log.consumer({ topics: ['in'], group: 'g', from: 'earliest' });
  for await (const message of consumer) {
    const { result, placements } = await producer.transaction((tx) => {
      tx.send('out', { value: `${message.offset}`, partition: 0 });
      tx.commitOffsets(consumer);
      return 'done';
    });
    expect(result).toBe('done');
    expect(placements).toMatchObject([{ topic: 'out', partition: 0, offset: message.offset }]);
    expect(await log.admin.fetchOffsets('g')).toMatchObject([{ offset: message.offset + 1 }]);
    if (message.offset === 2) break;
  }
  expect(texts(await readAll(log, 'out'))).toEqual(['0', '1', '2']);
});

test('stores nothing when its function throws', async () => {
  const log = await logWith('out');
  const failure = new Error('no');
  const running = log.producer().transaction((tx) => {
    tx.send('out', { value: 'a' });
    throw failure;
  });
  await expect(running).rejects.toBe(failure);
  expect(await countOf(log, 'out')).toBe(0);
});

test('of a transactional id fences the one before', async () => {
  const log = await logWith('out');
  const [first, second] = [1, 2].map(() => log.producer({ transactionalId: 'billing' }));
  await first!.transaction((tx) => tx.send('out', { value: 'a' }));
  await second!.transaction((tx) => tx.send('out', { value: 'b' }));
  await expect(first!.transaction((tx) => tx.send('out', { value: 'c' }))).rejects.toMatchObject({
    code: 'FENCED',
  });
  expect(await countOf(log, 'out')).toBe(2);
});
