import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { LivenessLock, onDeath } from '../../src/platform/locks/liveness.ts';
import { FakeLocks } from '../support/fake-locks.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { settle } from '../support/waiting.ts';

let locks: FakeLocks;
let closing: AbortController;
const lost = vi.fn();
const unhandled = vi.fn();
beforeEach(() => {
  locks = new FakeLocks();
  closing = new AbortController();
  lost.mockReset();
  unhandled.mockReset();
  process.on('unhandledRejection', unhandled);
});
afterEach(() => {
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

function lockOf(): LivenessLock {
  return new LivenessLock('client', { signal: closing.signal, onLost: lost, locks });
}

/** Whether a peer that waits for the holder of `id` takes it for dead. */
function watch(id: string): ReturnType<typeof vi.fn<() => void>> {
  const died = vi.fn<() => void>();
  const watching = new AbortController();
  onTestFinished(() => watching.abort());
  onDeath('client', id, watching.signal, died, locks);
  return died;
}

test('the lock of the id is held until the signal aborts', async () => {
  const lock = lockOf();
  const id = await lock.hold();
  expect([id, await lock.hold()]).toEqual([lock.id, lock.id]);
  expect(locks.held).toEqual([`tablog/client/${id}`]);
  closing.abort();
  await settle();
  expect(locks.held).toEqual([]);
  expect(lost).not.toHaveBeenCalled();
});

test.each([
  ['is stolen and let go', false],
  ['is stolen and kept', true],
])('a lock that %s is told, and another is held at once', async (_, isKept) => {
  const lock = lockOf();
  const first = await lock.hold();
  const firstDied = watch(first);
  locks.take(`tablog/client/${first}`, isKept);
  await settle();
  expect(lost).toHaveBeenCalledOnce();
  expect(firstDied).toHaveBeenCalledTimes(isKept ? 0 : 1);
  const second = await lock.hold();
  expect(second).not.toBe(first);
  expect(lock.id).toBe(second);
  const secondDied = watch(second);
  await settle();
  expect(secondDied).not.toHaveBeenCalled();
  closing.abort();
  await settle();
  expect(secondDied).toHaveBeenCalledOnce();
});

test('a lock that is renewed is free for those who wait, and is no loss', async () => {
  const lock = lockOf();
  const first = await lock.hold();
  const died = watch(first);
  lock.renew();
  const second = await lock.hold();
  await settle();
  expect(died).toHaveBeenCalledOnce();
  expect(locks.held).toEqual([`tablog/client/${second}`]);
  expect(lost).not.toHaveBeenCalled();
});

test('after the end nothing is held again', async () => {
  const lock = lockOf();
  const id = await lock.hold();
  closing.abort();
  lock.renew();
  await settle();
  expect(lock.id).toBe(id);
  expect(locks.held).toEqual([]);
});

test('a page that goes away gets no lock, and one when it comes back', async () => {
  const gone = new DOMException('the browsing context is going away', 'AbortError');
  const request = vi.spyOn(locks, 'request').mockRejectedValueOnce(gone);
  const lock = lockOf();
  expect(await errorOf(lock.hold())).toMatchObject({ code: 'WORKER_LOST', cause: gone });
  expect(await lock.hold()).toBe(lock.id);
  expect(request).toHaveBeenCalledTimes(2);
});
