import { expect, onTestFinished, test } from 'vitest';
import { openLog } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import type { Platform } from '../../../src/platform/platform.ts';
import { memoryStore } from '../../../src/store/memory-store-factory.ts';
import { FakeLocks } from '../../support/fake-locks.ts';
import { memoryHost } from '../../support/log-fixture.ts';
import { settle } from '../../support/waiting.ts';
import { listen } from './status-fixture.ts';

/** What a log tells that is opened over a store of its user's own. */
async function toldBy(platform: Platform | undefined, host = hostOf(platform)): Promise<unknown> {
  const said: string[] = [];
  const logger = (level: string, line: string): void => void said.push(`${level} ${line}`);
  const log = await openLog('shop', { host, logger });
  onTestFinished(() => log.close());
  const { told } = listen(log);
  const later = listen(log);
  await settle();
  expect(later.told).toEqual(told);
  return { told, said };
}

const hostOf = (platform: Platform | undefined): ReturnType<typeof inline> =>
  inline({ store: memoryStore(), ...(platform && { platform }) });

const locks = new FakeLocks();
const noChannel = { postMessage: () => {}, addEventListener: () => {}, close: () => {} };
const openChannel = (): typeof noChannel => noChannel;

test('a place without locks says so at once, to each who listens', async () => {
  expect(await toldBy({ openChannel })).toEqual({
    told: [{ type: 'platformLimited', missing: 'locks' }],
    said: [
      "warn tablog: log 'shop': this context has no Web Locks: a member of a group that is gone " +
        'keeps its partitions for its sessionTimeoutMs',
    ],
  });
});

test('a place without channels says so', async () => {
  expect(await toldBy({ locks, openChannel: null })).toEqual({
    told: [{ type: 'platformLimited', missing: 'channels' }],
    said: [
      "warn tablog: log 'shop': this context has no BroadcastChannel: what another thread stores " +
        'is read later, and its topics in memory cannot be reached',
    ],
  });
});

test('a place without both says both', async () => {
  expect(await toldBy({ locks: null, openChannel: null })).toMatchObject({
    told: [{ missing: 'locks' }, { missing: 'channels' }],
  });
});

test('a place that has both says nothing', async () => {
  expect(await toldBy({ locks, openChannel })).toEqual({ told: [], said: [] });
});

test('a log in the memory of one thread says nothing: it needs neither', async () => {
  expect(await toldBy(undefined, memoryHost())).toEqual({ told: [], said: [] });
});
