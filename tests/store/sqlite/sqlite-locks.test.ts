import { expect, test } from 'vitest';
import type { SqliteLocks } from '../../../src/store/sqlite/sqlite-locks.ts';
import { settle } from '../../support/waiting.ts';
import { Machine } from './processes-fixture.ts';

/** A request for a lock, which is held until `release`. */
function hold(
  locks: SqliteLocks,
  name: string,
  options: LockOptions = {},
): { readonly state: () => string; readonly release: () => void } {
  let state = 'waits';
  let release!: () => void;
  const until = new Promise<void>((resolve) => (release = resolve));
  locks
    .request(name, options, (lock) => {
      state = lock === null ? 'refused' : 'held';
      return lock === null ? undefined : until;
    })
    .then(
      () => (state = state === 'refused' ? state : 'released'),
      (error: Error) => (state = error.name),
    );
  return { state: () => state, release };
}

/** The requests of three processes, in the order in which they were made. */
async function requests(...options: readonly LockOptions[]): Promise<{
  readonly machine: Machine;
  readonly holds: readonly ReturnType<typeof hold>[];
  readonly states: () => string[];
}> {
  const machine = new Machine();
  const holds: ReturnType<typeof hold>[] = [];
  for (const each of options) {
    holds.push(hold(machine.start().locks, 'a', each));
    await settle();
  }
  return { machine, holds, states: () => holds.map(({ state }) => state()) };
}

test('a lock is held by one process, and granted to the next in the order of the requests', async () => {
  const { machine, holds, states } = await requests({}, {}, {});
  expect(states()).toEqual(['held', 'waits', 'waits']);
  holds[0]!.release();
  await machine.pass(200);
  expect(states()).toEqual(['released', 'held', 'waits']);
  holds[1]!.release();
  await machine.pass(200);
  expect(states()).toEqual(['released', 'released', 'held']);
});

test('a shared lock is held by many, and no later one passes an exclusive request', async () => {
  const shared = { mode: 'shared' } as const;
  const { machine, holds, states } = await requests(shared, shared, {}, shared);
  expect(states()).toEqual(['held', 'held', 'waits', 'waits']);
  holds[0]!.release();
  holds[1]!.release();
  await machine.pass(200);
  expect(states()).toEqual(['released', 'released', 'held', 'waits']);
});

test('with ifAvailable a lock that is held is refused, and nobody waits for it', async () => {
  const { states } = await requests({}, { ifAvailable: true });
  expect(states()).toEqual(['held', 'refused']);
});

test('a stolen lock is lost to its holder, and those who wait go on waiting', async () => {
  const { machine, states } = await requests({}, {}, { steal: true });
  await machine.pass(200);
  expect(states()).toEqual(['AbortError', 'waits', 'held']);
});

test('a request that is aborted waits no more', async () => {
  const abort = new AbortController();
  const { machine, holds, states } = await requests({}, { signal: abort.signal }, {});
  abort.abort();
  await settle();
  expect(states()).toEqual(['held', 'AbortError', 'waits']);
  holds[0]!.release();
  await machine.pass(200);
  expect(states()).toEqual(['released', 'AbortError', 'held']);
});

test('the locks of a process that died go to those who wait, and not those of one that lives', async () => {
  const machine = new Machine();
  const [dying, living, waiting] = [machine.start(), machine.start(), machine.start()];
  const held = hold(living.locks, 'living');
  hold(dying.locks, 'dying');
  await settle();
  const next = [hold(waiting.locks, 'dying'), hold(waiting.locks, 'living')];
  await machine.pass(2_000, dying);
  expect(next.map(({ state }) => state())).toEqual(['waits', 'waits']);
  await machine.pass(2_000, dying);
  expect(next.map(({ state }) => state())).toEqual(['held', 'waits']);
  expect(held.state()).toBe('held');
});

test('a process that was suspended has lost its locks, and its requests go on', async () => {
  const machine = new Machine();
  const [suspended, other] = [machine.start(), machine.start()];
  const lost = hold(suspended.locks, 'lost');
  const own = hold(other.locks, 'others');
  await settle();
  const later = hold(suspended.locks, 'others');
  await machine.pass(5_000, suspended);
  await machine.pass(2_000);
  expect(lost.state()).toBe('AbortError');
  expect(later.state()).toBe('waits');
  own.release();
  await machine.pass(200);
  expect(later.state()).toBe('held');
});

test('query tells what is held and what waits, each with an id of its own', async () => {
  const machine = new Machine();
  const { locks } = machine.start();
  hold(locks, 'a');
  await settle();
  hold(locks, 'a', { mode: 'shared' });
  await settle();
  const { held, pending } = await locks.query();
  expect(held).toEqual([{ name: 'a', mode: 'exclusive', clientId: expect.any(String) }]);
  expect(pending).toEqual([{ name: 'a', mode: 'shared', clientId: expect.any(String) }]);
  expect(held![0]!.clientId).not.toBe(pending![0]!.clientId);
});
