import { beforeEach, describe, expect, test } from 'vitest';
import { Waiters } from '../../../src/broker/waiting/waiters.ts';
import type { Wait } from '../../../src/broker/waiting/waiters.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const here = 't/0';
const there = 't/1';

let clock: ManualClock;
let waiters: Waiters;
beforeEach(() => {
  clock = new ManualClock();
  waiters = new Waiters();
});

const wait = (keys = [here], ms = 100, signal = new AbortController().signal): Wait =>
  waiters.wait(keys, ms, clock, signal);

async function isWoken({ woken }: Wait): Promise<boolean> {
  return Promise.race([woken.then(() => true), Promise.resolve().then(() => false)]);
}

describe('who waits', () => {
  test('is woken by news of its partition, and only of its', async () => {
    const [mine, other] = [wait([here]), wait([there])];
    waiters.wake('t/0');
    expect(await isWoken(mine)).toBe(true);
    expect(await isWoken(other)).toBe(false);
    waiters.wake('other/1');
    expect(await isWoken(other)).toBe(false);
  });

  test('is woken by any of its partitions', async () => {
    const both = wait([here, there]);
    waiters.wake('t/1');
    expect(await isWoken(both)).toBe(true);
  });

  test('is woken with all others of its partition', async () => {
    const all = [wait(), wait(), wait([there, here])];
    waiters.wake('t/0');
    expect(await Promise.all(all.map(isWoken))).toEqual([true, true, true]);
  });

  test('is woken when its time is up', async () => {
    const waiting = wait([here], 100);
    clock.advance(99);
    expect(await isWoken(waiting)).toBe(false);
    clock.advance(1);
    expect(await isWoken(waiting)).toBe(true);
  });

  test('is woken at the next turn where there is no time', async () => {
    const waiting = wait([here], -5);
    clock.advance(0);
    expect(await isWoken(waiting)).toBe(true);
  });

  test('is woken by its signal', async () => {
    const abort = new AbortController();
    const waiting = wait([here], 100, abort.signal);
    abort.abort();
    expect(await isWoken(waiting)).toBe(true);
  });

  test('is woken when all are', async () => {
    const all = [wait([here]), wait([there]), wait([])];
    waiters.wakeAll();
    expect(await Promise.all(all.slice(0, 2).map(isWoken))).toEqual([true, true]);
  });

  test('leaves nothing behind when it cancels, and the others wait on', async () => {
    const [left, stays] = [wait(), wait()];
    left.cancel();
    left.cancel();
    expect(clock.timers).toBe(1);
    waiters.wake('t/0');
    expect(await isWoken(left)).toBe(false);
    expect(await isWoken(stays)).toBe(true);
    stays.cancel();
    expect(clock.timers).toBe(0);
  });
});
