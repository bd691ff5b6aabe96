import { expect, test } from 'vitest';
import { TOPICS } from '../../../src/store/schema.ts';
import { World } from '../../support/world.ts';

test('a topic whose row is damaged is not told to be missing, and other topics go on', async () => {
  const world = new World();
  const { log } = await world.openTab({}, 'bad', 'good');
  await world.store.update([{ store: TOPICS, key: 'bad' }], (_, write) => {
    write.put(TOPICS, 'bad', 7);
  });
  const { log: later } = await world.openTab();
  const corrupt = { code: 'LOG_CORRUPT', details: { store: TOPICS, key: 'bad' } };
  const place = { topic: 'bad', partition: 0 };
  for (const call of [
    () => later.producer().send('bad', { value: 'v' }),
    () => later.admin.createTopics(['bad']),
    () => later.admin.describeTopics(['bad']),
    () => later.admin.listOffsets([{ ...place, at: 'latest' }]),
    () => later.admin.deleteRecords([{ ...place, before: 'latest' }]),
    () => later.admin.scrub({ topics: ['bad'] }),
  ]) {
    await expect(call()).rejects.toMatchObject(corrupt);
  }
  await expect(later.producer().send('none', { value: 'v' })).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC',
    details: { topic: 'none' },
  });
  // The worker that has the topic in its cache needs no row of it.
  expect(await log.producer().send('bad', { value: 'v' })).toMatchObject({ offset: 0 });
  expect(await log.producer().send('good', { value: 'v' })).toMatchObject({ offset: 0 });
});
