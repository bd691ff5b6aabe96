import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openLog, string, topic } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { holdLivenessLock, lockLiveness } from '../../src/platform/locks/liveness.ts';
import { hasLocks } from '../../src/platform/locks/locks.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { stubContext } from '../support/context.ts';

const refusal = new DOMException('access is denied in this context', 'SecurityError');

/** As a sandboxed frame has them, and a page whose site data is blocked. */
const refusingLocks = (): object => ({
  request: async () => Promise.reject(refusal),
  query: async () => Promise.reject(refusal),
});

/** Locks of another kind than the specification's: they throw, and return no promise. */
const throwingLocks = (): object => ({
  request() {
    throw refusal;
  },
});

afterEach(() => vi.unstubAllGlobals());

const WITHOUT: readonly (readonly [string, () => unknown])[] = [
  ['refuse', () => ({ locks: refusingLocks() })],
  ['throw', () => ({ locks: throwingLocks() })],
  ['are null', () => ({ locks: null })],
  ['are missing', () => ({})],
  ['are missing, as is the navigator', () => undefined],
];

describe.each(WITHOUT)('where Web Locks %s', (_, navigator) => {
  const unhandled = vi.fn();
  beforeEach(() => {
    vi.stubGlobal('navigator', navigator());
    unhandled.mockReset();
    process.on('unhandledRejection', unhandled);
  });
  afterEach(() => void process.off('unhandledRejection', unhandled));

  test('inline() does without: disk-like and memory topics, groups', async () => {
    await using log = await openLog('shop', { host: inline({ storage: 'memory' }) });
    const topics = [
      topic('disk', { value: string() }),
      topic('memory', { value: string(), storage: 'memory' }),
    ];
    await log.admin.createTopics(topics);
    for (const each of topics) await log.producer().send(each, { value: each.name });
    await using consumer = log.consumer({ group: 'g', topics, from: 'earliest' });
    const read: unknown[] = [];
    for await (const { value } of consumer) if (read.push(value) === topics.length) break;
    expect(new Set(read)).toEqual(new Set(['disk', 'memory']));
    await log.admin.describeLog();
    expect(unhandled).not.toHaveBeenCalled();
  });

  test.each(['shared', 'dedicated'] as const)('a %s worker is LOCKS_UNAVAILABLE', async (host) => {
    stubContext('indexedDB', 'SharedWorker', 'Worker');
    const error = await errorOf(openLog('shop', { host }));
    expect(error).toMatchObject({ code: 'LOCKS_UNAVAILABLE', retriable: false });
    expect(error.message).toContain("inline({ storage: 'memory' })");
    expect(await errorOf(openLog('shop', { host }))).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('nobody dies', async () => {
    const died = vi.fn();
    const liveness = lockLiveness();
    await holdLivenessLock('client', 'a', new AbortController().signal, () => {}).catch(() => {});
    liveness.onDeath('client', 'a', new AbortController().signal, died);
    expect(await liveness.isAlive('client', 'a')).toBe(true);
    expect(died).not.toHaveBeenCalled();
  });
});

describe('a refusal', () => {
  test('is the cause of the error, and remembered', async () => {
    vi.stubGlobal('navigator', { locks: refusingLocks() });
    expect(hasLocks()).toBe(true);
    const held = holdLivenessLock('client', 'a', new AbortController().signal, () => {});
    const error = await errorOf(held);
    expect(error).toMatchObject({ code: 'LOCKS_UNAVAILABLE', cause: refusal });
    expect(error.message).toContain('SecurityError: access is denied in this context');
    expect(hasLocks()).toBe(false);
  });

  test('is not what comes of a page that goes away, or a request that is called off', async () => {
    const gone = new DOMException('the page is going away', 'AbortError');
    vi.stubGlobal('navigator', { locks: { request: () => Promise.reject(gone) } });
    const held = holdLivenessLock('client', 'a', new AbortController().signal, () => {});
    await expect(held).rejects.toMatchObject({ code: 'WORKER_LOST', retriable: true, cause: gone });
    expect(hasLocks()).toBe(true);
  });
});
