import { expect, test } from 'vitest';
import { RemotePartitions } from '../../../src/broker/memory/remote-partitions.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('a call of a connection that has ended rejects at once', async () => {
  const clock = new ManualClock();
  const endpoint = { postMessage() {}, addEventListener() {} };
  const remote = new RemotePartitions({ endpoint, close() {} }, clock);
  remote.close();
  const ended = { code: 'OUTCOME_UNKNOWN' };
  const expires = clock.now() + 3_600_000;
  const limits = { expires, maxBytes: Infinity, signal: new AbortController().signal };
  await expect(remote.fetch([], limits)).rejects.toMatchObject(ended);
  await expect(remote.offset('t', 0, 'latest')).rejects.toMatchObject(ended);
  expect(clock.timers).toBe(0);
});
