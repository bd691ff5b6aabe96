import type { SerdeWait } from './serde-context.ts';

/**
 * The most calls of `waitFor` for one record. A serde that exceeds the limit waits for promises
 * that do not change its result, and would keep the tab busy for ever.
 */
export const MAX_WAITS = 100;

/** The error of a record whose serde has called `waitFor` `MAX_WAITS` times. */
export function endlessWait({ topic, field }: SerdeWait): Error {
  return new Error(`the ${field} serde of '${topic}' has called waitFor() ${MAX_WAITS} times`);
}
