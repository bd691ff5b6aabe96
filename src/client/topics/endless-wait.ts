import type { SerdeWait } from './serde-context.ts';

/**
 * The most waits for one record. A serde that needs more waits for what does not change its answer,
 * and would keep the tab busy for ever.
 */
export const MAX_WAITS = 100;

/** The error of a record whose serde has waited `MAX_WAITS` times. */
export function endlessWait({ topic, field }: SerdeWait): Error {
  return new Error(`the ${field} serde of '${topic}' has called waitFor() ${MAX_WAITS} times`);
}
