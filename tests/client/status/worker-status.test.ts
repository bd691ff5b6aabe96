import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLog } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { serveBroker } from '../../../src/protocol/port/serve-broker.ts';
import { stubIndexedDb } from '../../store/indexeddb/fake-indexeddb.ts';
import { WELCOME } from '../../protocol/endpoints.ts';
import { memoryHost } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { listen } from './status-fixture.ts';
import { settle } from '../../support/waiting.ts';

/** The browser's Web Locks, as far as a tab asks for them: the lock of a worker is free when it dies. */
class FakeLocks {
  readonly #waiting = new Map<string, () => void>();

  request(
    name: string,
    options: LockOptions,
    granted: (lock: Lock) => Promise<void>,
  ): Promise<void> {
    const lock = { name, mode: options.mode ?? 'exclusive' } as Lock;
    if (options.mode !== 'shared') return granted(lock);
    return new Promise((resolve) => {
      this.#waiting.set(name, () => resolve(granted(lock)));
    });
  }

  /** The holder of the lock is gone. */
  free(name: string): void {
    this.#waiting.get(name)!();
  }
}

let host: StubHost;
let locks: FakeLocks;
/** How many workers were started. */
let started: number;
/** Whether a worker that is started from now on can be loaded. */
let isThere: boolean;

class FakeSharedWorker extends EventTarget {
  readonly port: MessagePort;

  constructor(_url: URL, _options: WorkerOptions) {
    super();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    started++;
    onTestFinished(() => port1.close());
    if (isThere) {
      const response = { ...WELCOME, brokerId: `broker-${started}` };
      serveBroker(port2, async ({ log }) => ({ response, broker: host.open(log).broker }));
    } else queueMicrotask(() => this.dispatchEvent(new Event('error')));
  }
}

let log: Log;
beforeEach(async () => {
  host = stubHost(memoryHost());
  locks = new FakeLocks();
  started = 0;
  isThere = true;
  stubIndexedDb();
  vi.stubGlobal('SharedWorker', FakeSharedWorker);
  vi.stubGlobal('navigator', { locks });
  log = await openLog('shop', { host: 'shared' });
  await log.admin.createTopics(['t']);
  await settle(); // no call is under way
});

afterEach(async () => {
  await log.close();
  vi.unstubAllGlobals();
});

function die(): void {
  locks.free(`tablog/broker/broker-${started}`);
}

describe('a worker', () => {
  test('that dies is told, and the next one when it serves', async () => {
    const { told } = listen(log);
    die();
    await settle();
    expect(told).toEqual([{ type: 'workerLost', reason: 'died' }]);
    await log.producer().send('t', { value: 'v' });
    await settle();
    expect(told.slice(1)).toEqual([{ type: 'workerConnected', attempts: 1 }]);
    expect(started).toBe(2);
  });

  test.each(['before', 'after'])(
    'that finds records lost which this tab has seen tells who listened %s it',
    async (when) => {
      const lost = { topic: 't', partition: 0, from: 2, to: 5, isTopicLost: false };
      const heard = when === 'before' ? listen(log) : undefined;
      die();
      await settle();
      // The worker compares the log with the witness of the hello, and finds it so once.
      let isFirst = true;
      host.answer('openLog', async (request, real) => {
        const opened = await real(request);
        const found = isFirst ? [lost] : [];
        isFirst = false;
        return { ...opened, lost: found };
      });
      await Promise.all([log.admin.listGroups(), log.admin.listGroups()]);
      await settle();
      const { told } = heard ?? listen(log);
      await settle();
      expect(told.filter(({ type }) => type === 'recordsLost')).toMatchObject([
        { topic: 't', partition: 0, offset: 2, error: { code: 'LOG_CORRUPT' } },
      ]);
    },
  );

  test('that cannot be started is told once, and how often it was tried', async () => {
    const { told } = listen(log);
    isThere = false;
    die();
    const failed = { code: 'WORKER_FAILED' };
    for (let i = 0; i < 2; i++) await expect(log.admin.listGroups()).rejects.toMatchObject(failed);
    await settle();
    expect(told).toMatchObject([
      { type: 'workerLost', reason: 'died' },
      { type: 'workerUnavailable', error: failed },
    ]);
    const later = listen(log);
    isThere = true;
    await log.admin.listGroups();
    await settle();
    expect(told.slice(2)).toEqual([{ type: 'workerConnected', attempts: 3 }]);
    expect(later.types).toEqual(['workerUnavailable', 'workerConnected']);
  });

  test('is told by nothing where nothing happens to it', async () => {
    const { told } = listen(log);
    await log.producer().send('t', { value: 'v' });
    await log.admin.listTopics();
    await log.close();
    expect(told).toEqual([]);
  });
});

test('a worker that does not answer is told', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { told } = listen(log);
  host.answer('listGroups', () => new Promise(() => {}));
  const asked = log.admin.listGroups();
  asked.catch(() => {});
  await settle();
  vi.advanceTimersByTime(9_750);
  vi.advanceTimersByTime(250);
  await settle();
  expect(told[0]).toEqual({ type: 'workerLost', reason: 'silent' });
});
