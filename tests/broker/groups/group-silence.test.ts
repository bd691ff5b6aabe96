import { describe, expect, onTestFinished, test } from 'vitest';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { GroupWorld, Member, SESSION_TIMEOUT_MS, joinRequest, live } from './group-fixture.ts';
import { settle } from '../../support/waiting.ts';

const QUESTION_MS = SESSION_TIMEOUT_MS / 4;

/** Lets `clocks` go on by a question each, one after the other, as those of two workers do. */
async function ask(times: number, ...clocks: readonly ManualClock[]): Promise<void> {
  for (let i = 0; i < times; i++) {
    for (const clock of clocks) {
      clock.advance(QUESTION_MS);
      await settle(20);
    }
  }
}

describe('a member that leaves four questions unanswered', () => {
  test('is removed, and the others take over', async () => {
    const log = await GroupWorld.open(2);
    const broker = log.logBroker();
    void live(await Member.join(broker, 'a'));
    const silent = await Member.join(broker, 'b');
    await ask(3, log.clock);
    expect(await log.members()).toEqual(['a', 'b']);
    await ask(1, log.clock);
    expect(await log.members()).toEqual(['a']);
    await expect(silent.sync()).rejects.toMatchObject({ code: 'FENCED' });
  });

  test('stays where an answer came in between', async () => {
    const log = await GroupWorld.open(2);
    const broker = log.logBroker();
    void live(await Member.join(broker, 'a'));
    const slow = await Member.join(broker, 'b');
    for (let round = 0; round < 5; round++) {
      await ask(3, log.clock);
      await slow.sync();
    }
    expect(await log.members()).toEqual(['a', 'b']);
  });

  test('has its own timeout', async () => {
    const log = await GroupWorld.open(2);
    const broker = log.logBroker();
    void live(await Member.join(broker, 'a'));
    await Member.join(broker, 'b', { sessionTimeoutMs: 2 * SESSION_TIMEOUT_MS });
    await ask(7, log.clock);
    expect(await log.members()).toEqual(['a', 'b']);
    await ask(1, log.clock);
    expect(await log.members()).toEqual(['a']);
  });

  test('stays while it is the only one: nobody could take over', async () => {
    const log = await GroupWorld.open(1);
    const broker = log.logBroker();
    const only = await Member.join(broker, 'a');
    await ask(20, log.clock);
    expect(await log.members()).toEqual(['a']);
    await only.sync();
  });

  test('is removed by another broker too', async () => {
    const log = await GroupWorld.open(2);
    const [mine, clock] = [new ManualClock(), new ManualClock()];
    const [one, other] = [log.logBroker({ clock: mine }), log.logBroker({ clock })];
    await Member.join(one, 'a'); // and its broker stands still with it
    void live(await Member.join(other, 'b'));
    await settle();
    await ask(4, clock);
    expect(await log.members()).toEqual(['b']);
  });

  test('is removed though a member of another group answers with its id', async () => {
    const log = await GroupWorld.open(1);
    const broker = log.logBroker();
    void live(await Member.join(broker, 'a'));
    await Member.join(broker, 'b');
    const groupId = 'other';
    const { memberEpoch, instance } = await broker.joinGroup(joinRequest('b', { groupId }));
    const member = { groupId, instance, memberId: 'b', memberEpoch };
    for (let i = 0; i < 4; i++) {
      await broker.syncGroup({ member, generation: -1, hidden: false, maxWaitMs: 0 });
      await ask(1, log.clock);
    }
    expect(await log.members()).toEqual(['a']);
  });
});

describe('members that answer stay', () => {
  test('with one broker', async () => {
    const log = await GroupWorld.open(3);
    const broker = log.logBroker();
    for (const memberId of ['a', 'b', 'c']) void live(await Member.join(broker, memberId));
    await ask(20, log.clock);
    expect(await log.members()).toEqual(['a', 'b', 'c']);
  });

  test.each([2, 3])('with %i brokers, whose clocks go one after the other', async (count) => {
    const log = await GroupWorld.open(3);
    const clocks = Array.from({ length: count }, () => new ManualClock());
    const ids = ['a', 'b', 'c'].slice(0, count);
    const brokers = clocks.map((clock) => log.logBroker({ clock }));
    for (const [i, memberId] of ids.entries()) {
      void live(await Member.join(brokers[i]!, memberId));
      await settle();
    }
    await ask(20, ...clocks);
    expect(await log.members()).toEqual(ids);
    await ask(20, ...clocks.toReversed());
    expect(await log.members()).toEqual(ids);
  });

  test('with brokers that some members share', async () => {
    const log = await GroupWorld.open(3);
    const clocks = [new ManualClock(), new ManualClock()];
    const [one, other] = clocks.map((clock) => log.logBroker({ clock }));
    for (const [memberId, broker] of [
      ['a', one],
      ['b', other],
      ['c', one],
    ] as const) {
      void live(await Member.join(broker!, memberId));
      await settle();
    }
    await ask(20, ...clocks);
    expect(await log.members()).toEqual(['a', 'b', 'c']);
  });
});

/** A clock that can sleep: every timer that is due then runs once. */
class SleepyClock implements Clock {
  readonly #timers = new Map<() => void, number>();
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  after(ms: number, then: () => void): () => void {
    const timer = (): void => then();
    this.#timers.set(timer, this.#now + ms);
    return () => void this.#timers.delete(timer);
  }

  sleep(ms: number): void {
    this.#now += ms;
    for (const [timer, at] of this.#timers) {
      if (at > this.#now || !this.#timers.delete(timer)) continue;
      timer();
    }
  }
}

test('a machine that slept for hours removes nobody', async () => {
  const log = await GroupWorld.open(2);
  const clock = new SleepyClock();
  const broker = log.logBroker({ clock });
  const members = [await Member.join(broker, 'a'), await Member.join(broker, 'b')];
  for (const member of members) void live(member);
  await settle();
  for (let night = 0; night < 10; night++) {
    clock.sleep(8 * 3_600_000);
    await settle();
  }
  expect(await log.members()).toEqual(['a', 'b']);
});

// Deno's channels post nothing once another channel was closed, as one of another test was here.
test.skipIf('Deno' in globalThis)(
  'a hint that says so keeps a member, but for as long as it comes',
  async () => {
    const log = await GroupWorld.open(2);
    const broker = log.logBroker();
    void live(await Member.join(broker, 'a'));
    await Member.join(broker, 'b');
    const channel = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => channel.close());
    for (let i = 0; i < 8; i++) {
      channel.postMessage({ kind: 'alive', groupId: 'billing', memberId: 'b' });
      await settle();
      await ask(1, log.clock);
    }
    expect(await log.members()).toEqual(['a', 'b']);
    await ask(4, log.clock);
    expect(await log.members()).toEqual(['a']);
  },
);
