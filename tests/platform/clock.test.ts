import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock, withDeadline, within } from '../../src/platform/clock.ts';
import { deferred } from '../../src/base/deferred.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** For what is due at the same time as the deadline. */
const GRACE_MS = 250;

describe('within', () => {
  test('ends with the promise, where it settles in time, and leaves no timer', async () => {
    const clock = new ManualClock();
    const error = new TypeError('no');
    await within(clock, 10, Promise.resolve('a'));
    await expect(within(clock, 10, Promise.reject(error))).rejects.toBe(error);
    expect(clock.timers).toBe(0);
  });

  test('ends after the time, where it does not', async () => {
    const clock = new ManualClock();
    let isOver = false;
    const waiting = within(clock, 10, deferred().promise).then(() => (isOver = true));
    clock.advance(9);
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    clock.advance(1);
    await waiting;
    expect(clock.timers).toBe(0);
  });
});

describe('withDeadline', () => {
  const expired = (): Error => new Error('too late');

  test('is the promise, where it settles in time, and leaves no timer', async () => {
    const clock = new ManualClock();
    const error = new TypeError('no');
    expect(await withDeadline(clock, 10, Promise.resolve('a'), expired)).toBe('a');
    await expect(withDeadline(clock, 10, Promise.reject(error), expired)).rejects.toBe(error);
    await Promise.resolve();
    expect(clock.timers).toBe(0);
  });

  test('is the error of the deadline, where it does not', async () => {
    const clock = new ManualClock();
    const never = deferred();
    const made = vi.fn(expired);
    const bounded = withDeadline(clock, 10, never.promise, made);
    clock.advance(10);
    clock.advance(GRACE_MS - 1);
    expect(made).not.toHaveBeenCalled();
    clock.advance(1);
    await expect(bounded).rejects.toThrow('too late');
    expect(clock.timers).toBe(0);
  });

  test('is the promise after a sleep, in which the deadline has passed', async () => {
    const clock = new ManualClock();
    const answer = deferred<string>();
    const bounded = withDeadline(clock, 10, answer.promise, expired);
    clock.advance(10); // the timer is heard first
    answer.resolve('a');
    expect(await bounded).toBe('a');
    await Promise.resolve();
    expect(clock.timers).toBe(0);
  });

  test('ignores what comes after the deadline', async () => {
    const clock = new ManualClock();
    const late = deferred<string>();
    const bounded = withDeadline(clock, 10, late.promise, expired);
    clock.advance(10);
    clock.advance(GRACE_MS);
    late.resolve('too late');
    await expect(bounded).rejects.toThrow('too late');
  });
});

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('tells the time, calls once, and can be called off', () => {
    vi.setSystemTime(1_000);
    expect(systemClock.now()).toBe(1_000);
    const [called, calledOff] = [vi.fn(), vi.fn()];
    systemClock.after(10, called);
    systemClock.after(10, calledOff)();
    vi.advanceTimersByTime(9);
    expect(called).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(called).toHaveBeenCalledOnce();
    expect(calledOff).not.toHaveBeenCalled();
  });

  test('takes its time for more than a timer can count', () => {
    const called = vi.fn();
    systemClock.after(2 ** 31 + 9_750, called);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(called).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(called).toHaveBeenCalledOnce();
  });
});

test('the manual clock runs timers in the order of their time, those set on the way too', () => {
  const clock = new ManualClock(0);
  const ran: string[] = [];
  const note = (what: string) => () => void ran.push(`${what} at ${clock.now()}`);
  clock.after(20, note('second'));
  clock.after(10, () => {
    note('first')();
    clock.after(5, note('between'));
  });
  clock.after(30, note('never'))();
  clock.after(40, note('later'));
  clock.advance(35);
  expect(ran).toEqual(['first at 10', 'between at 15', 'second at 20']);
  expect(clock.now()).toBe(35);
  expect(clock.timers).toBe(1);
});
