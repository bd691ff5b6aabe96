import { describe, expect, onTestFinished, test } from 'vitest';
import { MemberLiveness } from '../../../src/broker/groups/member-liveness.ts';
import { newGroup } from '../../../src/group/group-state.ts';
import type { GroupMember } from '../../../src/group/group-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { GROUP_ID, SESSION_TIMEOUT_MS, Tabs } from './group-fixture.ts';

const QUESTION_MS = SESSION_TIMEOUT_MS / 4;

function member(memberId: string, rest: Partial<GroupMember> = {}): GroupMember {
  return {
    memberId,
    clientId: `tab of ${memberId}`,
    epoch: 1,
    subscription: { topics: ['orders'], patterns: [] },
    hidden: false,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: 60_000,
    joinedAt: 0,
    suspectedAt: null,
    releaseBy: null,
    ...rest,
  };
}

/** A watch, and what it says. */
class Watching {
  readonly clock = new ManualClock();
  readonly tabs = new Tabs();
  readonly gone: string[][] = [];
  readonly silent: string[][] = [];
  overdue = 0;
  probes = 0;
  readonly watch: MemberLiveness;

  constructor() {
    this.watch = new MemberLiveness({
      clock: this.clock,
      liveness: this.tabs,
      onGone: (members) => void this.gone.push(members.map(({ memberId }) => memberId)),
      onSilent: (members) => void this.silent.push(members.map(({ memberId }) => memberId)),
      onOverdue: () => void this.overdue++,
      probe: () => void this.probes++,
    });
    onTestFinished(() => this.watch.close());
  }

  update(...members: readonly GroupMember[]): void {
    this.watch.update({ ...newGroup(GROUP_ID), generation: 1, members });
  }

  /** One question passes, which these answer. */
  round(...answers: readonly string[]): void {
    for (const memberId of answers) this.watch.heard(memberId);
    this.clock.advance(QUESTION_MS);
  }
}

describe('questions', () => {
  test('are asked four times within the session timeout, from the second member on', () => {
    const it = new Watching();
    it.update(member('a'));
    it.clock.advance(10 * SESSION_TIMEOUT_MS);
    expect(it.probes).toBe(0);
    it.update(member('a'), member('b'));
    expect(it.probes).toBe(1);
    for (let i = 0; i < 4; i++) it.round('a', 'b');
    expect(it.probes).toBe(5);
    it.update(member('a'));
    it.clock.advance(10 * SESSION_TIMEOUT_MS);
    expect(it.probes).toBe(5);
    expect(it.clock.timers).toBe(0);
  });

  test('are as frequent as the shortest timeout wants', () => {
    const it = new Watching();
    it.update(member('a'), member('b', { sessionTimeoutMs: 400 }));
    it.clock.advance(99);
    expect(it.probes).toBe(1);
    it.clock.advance(1);
    expect(it.probes).toBe(2);
  });

  test('are left to another broker that has just asked', () => {
    const it = new Watching();
    it.update(member('a'), member('b'));
    it.watch.probed();
    it.round('a', 'b');
    expect(it.probes).toBe(1);
    it.round('a', 'b');
    expect(it.probes).toBe(2);
  });

  test('left unanswered twice in a row are told, and each time from then on', () => {
    const it = new Watching();
    it.update(member('a'), member('b'), member('c'));
    it.round('a', 'c');
    expect(it.silent).toEqual([]);
    it.round('a', 'c');
    it.round('a', 'c');
    expect(it.silent).toEqual([['b'], ['b']]);
    expect(it.gone).toEqual([]);
  });

  test('answered by nobody who is a member are not answered', () => {
    const it = new Watching();
    it.update(member('a'));
    it.watch.heard('b'); // forged, or from before it was removed
    it.update(member('a'), member('b'));
    it.round('a');
    it.round('a');
    expect(it.silent).toEqual([['b']]);
  });

  test('answered once begin to count anew', () => {
    const it = new Watching();
    it.update(member('a'), member('b'));
    for (let i = 0; i < 20; i++) it.round(...(i % 2 === 1 ? ['a', 'b'] : ['a']));
    expect(it.silent).toEqual([]);
  });

  test('are counted by each own timeout', () => {
    const it = new Watching();
    it.update(member('a'), member('b', { sessionTimeoutMs: 3 * SESSION_TIMEOUT_MS }));
    for (let i = 0; i < 5; i++) it.round('a');
    expect(it.silent).toEqual([]);
    it.round('a');
    expect(it.silent).toEqual([['b']]);
  });

  test('do not count for who comes with the same id after it has gone', () => {
    const it = new Watching();
    it.update(member('a'), member('b'), member('c'));
    it.round('a', 'c');
    it.update(member('a'), member('c'));
    it.update(member('a'), member('c'), member('b', { epoch: 9 }));
    it.round('a', 'c');
    expect(it.silent).toEqual([]);
  });

  test('answered by who is not a member change nothing', () => {
    const it = new Watching();
    it.update(member('a'), member('b'));
    for (let i = 0; i < 2; i++) it.round('a', 'x');
    expect(it.silent).toEqual([['b']]);
  });
});

describe('a tab that dies', () => {
  test('takes along its members as they are now', () => {
    const it = new Watching();
    it.update(member('a', { clientId: 'tab' }), member('b'));
    it.update(member('b'), member('c', { clientId: 'tab' }), member('d', { clientId: 'tab' }));
    it.tabs.kill('tab');
    expect(it.gone).toEqual([['c', 'd']]);
  });

  test('is told again of a member that came under its id later', async () => {
    const it = new Watching();
    it.update(member('a'), member('b'));
    it.tabs.kill('tab of a');
    // A broker that misses a change of the group does not see the member leave in between.
    it.update(member('a', { epoch: 3 }), member('b'));
    await Promise.resolve();
    expect(it.gone).toEqual([['a'], ['a']]);
  });

  test('is nobody when its members have left, or the watch is closed', () => {
    const it = new Watching();
    it.update(member('a'), member('b'));
    it.update(member('b'));
    it.tabs.kill('tab of a');
    it.watch.close();
    it.tabs.kill('tab of b');
    expect(it.gone).toEqual([]);
  });

  test('is seen when it was dead before', async () => {
    const it = new Watching();
    it.tabs.kill('tab of a');
    it.update(member('a'), member('b'));
    await Promise.resolve();
    expect(it.gone).toEqual([['a']]);
  });
});

describe('who has to release in time', () => {
  test('is overdue then, the first one counts', () => {
    const it = new Watching();
    const now = it.clock.now();
    it.update(member('a', { releaseBy: now + 500 }), member('b', { releaseBy: now + 300 }));
    it.clock.advance(299);
    expect(it.overdue).toBe(0);
    it.clock.advance(1);
    expect(it.overdue).toBe(1);
  });

  test('is overdue at once when that time is past', () => {
    const it = new Watching();
    it.update(member('a', { releaseBy: it.clock.now() - 1 }));
    it.clock.advance(0);
    expect(it.overdue).toBe(1);
  });

  test('is not when it has released', () => {
    const it = new Watching();
    it.update(member('a', { releaseBy: it.clock.now() + 500 }));
    it.update(member('a'));
    it.clock.advance(1000);
    expect(it.overdue).toBe(0);
    expect(it.clock.timers).toBe(0);
  });
});

test('close leaves no timer', () => {
  const it = new Watching();
  it.update(member('a', { releaseBy: it.clock.now() + 500 }), member('b'));
  it.watch.close();
  expect(it.clock.timers).toBe(0);
});
