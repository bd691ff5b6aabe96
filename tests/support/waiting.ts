import { onTestFinished, vi } from 'vitest';
import { loadParts } from './load-parts.ts';
import type { ManualClock } from './manual-clock.ts';

/** The limit of a wait in real time, which only a failing test reaches. */
const PATIENCE_MS = 10_000;

/** The limit of a wait by a manual clock, which only a failing test reaches. */
const AN_HOUR_MS = 3_600_000;

/** One turn of the event loop, after which all work that needs no timer and no message is done. */
export function idle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Some turns of the event loop, after which promises have settled and hints have arrived. */
export async function settle(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await idle();
}

/** Waits until `check` neither throws nor returns false; rejects with its last error. */
export async function eventually(check: () => unknown): Promise<void> {
  const passes = async (): Promise<void> => {
    if ((await check()) === false) throw new Error(`it does not come about: ${String(check)}`);
  };
  // `vi.waitFor` also advances fake timers.
  if (vi.isFakeTimers()) return vi.waitFor(passes, { interval: 5, timeout: PATIENCE_MS });
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await passes();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await idle();
    }
  }
}

interface PassingOptions {
  /** The milliseconds of each step of the clock. Default 100. */
  readonly stepMs?: number;
  /** The turns of the event loop before each step. Default 5. */
  readonly turns?: number;
  /**
   * The most milliseconds by the clock until the promise settles; beyond it, throws. Default: 1 h.
   */
  readonly maxMs?: number;
}

/**
 * Moves the clock on until `promise` settles; the promise's value and its duration by the clock.
 */
export async function timed<T>(
  clock: ManualClock,
  promise: Promise<T>,
  { stepMs = 100, turns = 5, maxMs = AN_HOUR_MS }: PassingOptions = {},
): Promise<{ readonly value: T; readonly ms: number }> {
  const began = clock.now();
  const settled = promise.then(
    () => true,
    () => true,
  );
  for (;;) {
    for (let turn = 0; turn < turns; turn++) {
      if (await Promise.race([settled, idle()])) {
        return { value: await promise, ms: clock.now() - began };
      }
    }
    if (clock.now() - began > maxMs) throw new Error(`it did not settle within ${maxMs} ms`);
    clock.advance(stepMs);
  }
}

/** Moves the clock on until `promise` settles, and settles as it does. */
export async function passing<T>(
  clock: ManualClock,
  promise: Promise<T>,
  options: PassingOptions = {},
): Promise<T> {
  return (await timed(clock, promise, options)).value;
}

/** A gate at which a listener or a loop waits until the test opens it. */
export function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Replaces timers and `Date` by fake ones, which only the test moves on, until the test ends. */
export async function stopTime(): Promise<void> {
  // Lazy modules are loaded before time stops: an `import()` takes real time.
  await loadParts();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  onTestFinished(() => void vi.useRealTimers());
}

/**
 * Moves fake timers on by `ms`, in steps, so that messages between tabs arrive between the steps.
 */
export async function pass(ms: number, stepMs = 5): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    vi.advanceTimersByTime(Math.min(stepMs, left));
    await settle();
  }
}

/** How a promise has settled by fake timers. */
export interface Outcome {
  readonly ms: number;
  /** `undefined`: it has resolved. */
  readonly error: Partial<Error & { code: string }> | undefined;
}

/** Moves the time on until `promise` settles: its error, and how long it took. */
export async function outcomeOf(promise: Promise<unknown>, maxMs: number): Promise<Outcome> {
  const began = Date.now();
  const outcomes: Outcome[] = [];
  promise.then(
    () => outcomes.push({ ms: Date.now() - began, error: undefined }),
    (error: Error) => outcomes.push({ ms: Date.now() - began, error }),
  );
  await settle(20);
  while (outcomes.length === 0 && Date.now() - began <= maxMs) await pass(50, 50);
  return outcomes[0] ?? { ms: Infinity, error: undefined };
}
