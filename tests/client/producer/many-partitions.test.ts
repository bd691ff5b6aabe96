import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { MAX_APPENDS } from '../../../src/protocol/wire.ts';
import { AN_HOUR_MS, openTab } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

/** More partitions than one call may produce to, over topics of as many as a topic can have. */
const TOPICS = Array.from({ length: 11 }, (_, i) => topic(`t${i}`, { partitions: 1000 }));
const PARTITIONS = 11_000;

describe('a tab that uses 11,000 partitions at once makes no request that a worker refuses:', () => {
  async function open(): Promise<{ readonly log: Log; readonly host: StubHost }> {
    const host = stubHost(); // over a broker that checks each request as a worker does
    const log = await openTab(host);
    await log.admin.createTopics(TOPICS);
    return { log, host };
  }

  test('produce', async () => {
    const { log, host } = await open();
    const producer = log.producer({ lingerMs: AN_HOUR_MS });
    const all = TOPICS.map((each) => {
      const records = Array.from({ length: 1000 }, (_, partition) => ({ partition, value: 'v' }));
      return producer.sendBatch(each, records);
    });
    await producer.flush();
    const placed = (await Promise.all(all)).flat();
    expect(placed.map(({ offset }) => offset)).toEqual(placed.map(() => 0));
    const sizes = host.requests('produce').map(({ appends }) => appends.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(PARTITIONS);
    expect(Math.max(...sizes)).toBe(MAX_APPENDS);
  });
});
