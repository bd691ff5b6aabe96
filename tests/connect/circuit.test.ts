import { expect, test } from 'vitest';
import { Circuit } from '../../src/connect/circuit.ts';
import type { Attempt } from '../../src/connect/circuit.ts';
import { ManualClock } from '../support/manual-clock.ts';

function circuitOf(random: () => number = () => 1): { clock: ManualClock; circuit: Circuit } {
  const clock = new ManualClock();
  return { clock, circuit: new Circuit({ clock, backoffMs: 100, maxBackoffMs: 1_000, random }) };
}

/** An attempt that may begin. */
function begin(circuit: Circuit): Attempt {
  const attempt = circuit.enter();
  if (typeof attempt === 'number') throw new Error(`it has to wait for ${attempt} ms`);
  return attempt;
}

/** An attempt after the wait that fails. */
function failAgain(
  { circuit, clock }: { circuit: Circuit; clock: ManualClock },
  atLeastMs?: number,
): number {
  clock.advance(100_000);
  return circuit.failed(begin(circuit), atLeastMs);
}

test('lets all in while nothing fails', () => {
  const { circuit } = circuitOf();
  begin(circuit);
  begin(circuit);
  expect([circuit.isFailing, circuit.retryAt]).toEqual([false, undefined]);
});

test('waits twice as long after each failure, up to the bound', () => {
  const given = circuitOf();
  expect([1, 2, 3, 4, 5, 6].map(() => failAgain(given))).toEqual([100, 200, 400, 800, 1000, 1000]);
  given.circuit.succeeded();
  expect(failAgain(given)).toBe(100);
});

test('waits a random share of it, and at the least what the target asks for', () => {
  const given = circuitOf(() => 0.25);
  expect([failAgain(given), failAgain(given), failAgain(given, 5_000)]).toEqual([25, 50, 5_000]);
});

test.each([Number.NaN, Infinity, 1e15])('bounds what the target asks for: %d', (ms) => {
  const given = circuitOf();
  expect(failAgain(given, ms)).toBe(Number.isNaN(ms) ? 100 : 86_400_000);
});

test('counts attempts that were made side by side as one failure, and keeps the longest wait', () => {
  const { circuit } = circuitOf();
  const attempts = [begin(circuit), begin(circuit), begin(circuit)];
  expect(circuit.failed(attempts[0]!, 3_000)).toBe(3_000);
  expect(circuit.failed(attempts[1]!)).toBe(3_000);
  expect(circuit.failed(attempts[2]!, 500)).toBe(3_000);
  expect(circuit.enter()).toBe(3_000);
});

test('lets one in when the wait is over, and the others when that one has succeeded', () => {
  const { circuit, clock } = circuitOf();
  const late = begin(circuit);
  circuit.failed(begin(circuit));
  clock.advance(100);
  const probe = begin(circuit);
  expect(circuit.enter()).toBe(100); // another one waits on
  circuit.failed(late); // an attempt of before says nothing of the one that is under way
  clock.advance(100);
  expect(circuit.enter()).toBe(100);
  circuit.left(probe); // as where its partition has moved
  begin(circuit);
  circuit.succeeded();
  begin(circuit);
  begin(circuit);
});

test('waits no longer where the clock is set back', () => {
  const { circuit, clock } = circuitOf();
  circuit.failed(begin(circuit));
  clock.advance(-3_600_000);
  expect(circuit.enter()).toBe(100);
});

test('is woken at once, and by a hint unless the target has asked for the wait', () => {
  const given = circuitOf();
  const { circuit } = given;
  expect(circuit.wake(false)).toBe(false); // nothing waits
  failAgain(given);
  expect(circuit.wake(true)).toBe(true);
  const probe = begin(circuit);
  circuit.failed(probe, 3_600_000);
  expect(circuit.wake(true)).toBe(false);
  expect(circuit.enter()).toBe(3_600_000);
  expect(circuit.wake(false)).toBe(true);
  begin(circuit);
});
