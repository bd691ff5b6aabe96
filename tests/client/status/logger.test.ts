import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import type { LogStatus } from '../../../src/client/status/log-status.ts';
import { lineOf } from '../../../src/client/status/status-line.ts';
import { TablogError, deleteLog, openLog } from '../../../src/index.ts';
import type { Log, LogLevel, Logger } from '../../../src/index.ts';
import { memoryHost } from '../../support/log-fixture.ts';
import { faultyHost } from './status-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

const busy = new TablogError(STORAGE_UNAVAILABLE, 'the disk is busy');

async function open(logger: Logger): Promise<Log> {
  const log = await openLog('shop', { host: memoryHost(), logger });
  onTestFinished(() => log.close());
  await log.admin.createTopics(['t']);
  return log;
}

/** Has the log tell something. */
async function happen(log: Log): Promise<void> {
  const consumer = log.consumer({ group: 'g', memberId: 'm', topics: ['t'] });
  await consumer.ready;
  await consumer.close();
  await settle();
}

const LINES = [
  "tablog: log 'shop': the member 'm' of 'g' got 't' 0",
  "tablog: log 'shop': the member 'm' of 'g' gives up 't' 0",
];

describe('a logger', () => {
  test('is an object with methods, as console, and gets a line by level', async () => {
    const said: string[] = [];
    const say =
      (level: LogLevel) =>
      (...given: readonly unknown[]): void =>
        void said.push(`${level} ${given.join('|')}`);
    const logger = {
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
    };
    const host = faultyHost();
    const log = await openLog('shop', { host, logger });
    onTestFinished(() => log.close());
    await log.admin.createTopics(['t']);
    expect(said).toEqual([]);
    await happen(log);
    host.connection.failNext({ error: busy });
    await log.producer().send('t', { value: 'v' });
    await settle();
    expect(said).toEqual([
      ...LINES.map((line) => `info ${line}`),
      `error tablog: log 'shop': the storage is away: ${busy.message}`,
      "info tablog: log 'shop': the storage is available again",
    ]);
  });

  test('keeps its this', async () => {
    class Pages {
      readonly lines: string[] = [];
      readonly debug = (): void => {};
      warn(): void {}
      error(): void {}
      info(line: string): void {
        this.lines.push(line);
      }
    }
    const pages = new Pages();
    await happen(await open(pages));
    expect(pages.lines).toEqual(LINES);
  });

  test('is a function, and gets level, line and status', async () => {
    const logger = vi.fn<(level: LogLevel, line: string, status: LogStatus) => void>();
    await happen(await open(logger));
    expect(logger.mock.calls[0]).toEqual([
      'info',
      LINES[0],
      {
        type: 'partitionsAssigned',
        timestamp: expect.any(Number),
        group: 'g',
        memberId: 'm',
        partitions: [{ topic: 't', partition: 0 }],
      },
    ]);
  });

  test.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('the disk of the logger is full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the disk of the logger is full'))],
  ])('that %s ends nothing, and is reported', async (_, logger) => {
    const reported = vi.fn<(error: unknown) => void>();
    vi.stubGlobal('reportError', reported);
    onTestFinished(() => void vi.unstubAllGlobals());
    const log = await open(logger);
    const statuses = log.status();
    await happen(log);
    expect(reported).toHaveBeenCalledTimes(2);
    expect(reported.mock.calls[0]![0]).toMatchObject({ message: 'the disk of the logger is full' });
    expect((await statuses.next()).value).toMatchObject({ type: 'partitionsAssigned' });
    await log.producer().send('t', { value: 'v' });
  });

  test('is told the end of the log, and nothing after it', async () => {
    const host = memoryHost();
    const logger = vi.fn<(level: LogLevel, line: string) => void>();
    const log = await openLog('shop', { host, logger });
    await log.admin.createTopics(['t']);
    const consumer = log.consumer({ group: 'g', topics: ['t'] });
    await consumer.ready;
    logger.mockClear();
    await deleteLog('shop', { host });
    await eventually(() => expect(logger).toHaveBeenCalled());
    await settle();
    expect(logger.mock.calls.map(([level, line]) => [level, line])).toEqual([
      ['warn', expect.stringMatching(/^tablog: log 'shop': CLOSED: the log 'shop' was deleted\. /)],
    ]);
  });

  test.each([
    [1, '1'],
    [{}, '{}'],
    [{ debug() {}, info() {}, warn() {} }, ''],
    [null, 'null'],
  ])('is refused at once where it is none (%j)', async (logger, shown) => {
    const opening = openLog('shop', { host: memoryHost(), logger: logger as never });
    await expect(opening).rejects.toThrow(TypeError);
    await expect(opening).rejects.toThrow(
      'logger must be a function, or have the methods debug, info, warn, error',
    );
    await expect(opening).rejects.toThrow(`got ${shown}`);
  });
});

const at = { timestamp: 0 } as const;
const member = { ...at, group: 'g', memberId: 'm' } as const;
const place = { topic: 't', partition: 1 } as const;

/** Statuses, and what a person reads of them. */
const READ: readonly (readonly [LogStatus, LogLevel, string])[] = [
  [
    { ...at, type: 'workerLost', reason: 'died' },
    'warn',
    'the worker died; the next call starts another',
  ],
  [
    { ...at, type: 'workerLost', reason: 'silent' },
    'warn',
    'the worker does not answer; the next call starts another',
  ],
  [
    { ...at, type: 'workerLost', reason: 'interrupted' },
    'warn',
    'the browser took this tab for dead; the next call connects to the worker again',
  ],
  [
    { ...at, type: 'workerUnavailable', error: busy },
    'error',
    `no worker can be started: ${busy.message}`,
  ],
  [
    { ...at, type: 'workerConnected', attempts: 3 },
    'info',
    'a worker serves this tab again (attempt 3)',
  ],
  [{ ...at, type: 'storageFull', error: busy }, 'error', `the storage is full: ${busy.message}`],
  [
    { ...at, type: 'recordsLost', ...place, offset: 5, error: busy },
    'error',
    `partition 1 of 't' cannot be read on: ${busy.message}`,
  ],
  [
    {
      ...member,
      type: 'offsetReset',
      ...place,
      outOfRange: 1,
      startOffset: 5,
      endOffset: 9,
      offset: 5,
    },
    'warn',
    "the group 'g' was to read partition 1 of 't' from 1, but its offsets are from 5 up to 9: it goes on at 5",
  ],
  [
    {
      ...at,
      type: 'offsetReset',
      group: undefined,
      memberId: undefined,
      ...place,
      outOfRange: 1,
      startOffset: 5,
      endOffset: 9,
      offset: 9,
    },
    'warn',
    "a consumer was to read partition 1 of 't' from 1, but its offsets are from 5 up to 9: it goes on at 9",
  ],
  [
    {
      ...member,
      type: 'partitionsLost',
      partitions: [place, { topic: 'u', partition: 0 }, { topic: 't', partition: 2 }],
    },
    'warn',
    "the member 'm' of 'g' has lost 't' 1, 2 and 'u' 0: others read it, and its commits are FENCED",
  ],
  [
    {
      ...member,
      type: 'slowHandler',
      ...place,
      offset: 7,
      elapsedMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      isRevoked: false,
    },
    'warn',
    "the member 'm' of 'g' has had partition 1 of 't', offset 7, in hand for 30000 ms: " +
      'the group removes it 60000 ms after it is to give the partition up',
  ],
  [
    {
      ...member,
      type: 'slowHandler',
      ...place,
      offset: 7,
      elapsedMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      isRevoked: true,
    },
    'warn',
    "the member 'm' of 'g' has had partition 1 of 't', offset 7, in hand for 30000 ms: " +
      'another member waits for the partition, and ' +
      'the group removes it 60000 ms after it is to give the partition up',
  ],
  [
    { ...at, type: 'workerUnavailable', error: new TablogError(STORAGE_UNAVAILABLE, 'a\r\n  b') },
    'error',
    `no worker can be started: STORAGE_UNAVAILABLE: a b. ${busy.next}`,
  ],
];

test.each(READ)('%j reads as one line', (status, level, line) => {
  expect(lineOf('shop', status)).toEqual([level, `tablog: log 'shop': ${line}`]);
});
