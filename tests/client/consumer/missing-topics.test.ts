import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLog, table } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { memoryHost, openTab } from '../../support/log-fixture.ts';
import { settle } from '../../support/waiting.ts';

const warn = vi.spyOn(console, 'warn');

let log: Log;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  warn.mockReset().mockImplementation(() => {});
  log = await openTab();
});

afterEach(() => void vi.useRealTimers());

async function after(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await settle();
}

describe('a consumer that waits for a topic that does not exist', () => {
  test('is told of on the console after a second, with what to do', async () => {
    log.consumer({ topics: ['orders'] });
    await after(999);
    expect(warn).not.toHaveBeenCalled();
    await after(1);
    expect(warn.mock.calls).toEqual([
      [
        `tablog: log '${log.name}': a consumer waits for the topic 'orders', which does not exist: ` +
          'create it with log.admin.createTopics(), or make the consumer with mustExist: true, ' +
          'which throws instead',
      ],
    ]);
  });

  test('is a status, and with a logger that instead of a word on the console', async () => {
    const logger = vi.fn<(level: string, line: string) => void>();
    const logged = await openLog('shop', { host: memoryHost(), logger });
    onTestFinished(() => logged.close());
    const statuses = logged.status();
    logged.consumer({ topics: ['orders'] });
    await after(1_000);
    expect((await statuses.next()).value).toMatchObject({ type: 'topicMissing', topic: 'orders' });
    expect(logger.mock.calls.map(([level, line]) => [level, line])).toEqual([
      [
        'warn',
        "tablog: log 'shop': a consumer waits for the topic 'orders', which does not exist: create it " +
          'with log.admin.createTopics(), or make the consumer with mustExist: true, which throws instead',
      ],
    ]);
    expect(warn).not.toHaveBeenCalled();
  });

  test('once a topic, whoever waits', async () => {
    log.consumer({ topics: ['a', 'b'] });
    log.consumer({ topics: ['a'], group: 'g' });
    table(log, 'a').ready.catch(() => {});
    await after(1_000);
    log.consumer({ topics: ['a'] });
    await after(1_000);
    expect(warn).toHaveBeenCalledTimes(2);
  });

  test('not where somebody makes the topic in time', async () => {
    log.consumer({ topics: ['orders'] });
    await log.admin.createTopics(['orders']);
    await after(1_000);
    expect(warn).not.toHaveBeenCalled();
  });

  test('not where it must exist, was closed, or has a pattern', async () => {
    await expect(log.consumer({ topics: ['a'], mustExist: true }).ready).rejects.toThrow('UNKNOWN');
    await log.consumer({ topics: ['a'] }).close();
    log.consumer({ topics: [/^a/] });
    await after(1_000);
    expect(warn).not.toHaveBeenCalled();
  });
});
