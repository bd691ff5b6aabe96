import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import type { Fault } from '../support/fault-store.ts';

const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');
const unknown = new TablogError(OUTCOME_UNKNOWN, 'a write was cut off');

export interface FaultKind {
  readonly name: string;
  /** The call has no answer before `released`, which may be never. */
  readonly isHeld: boolean;
  /** The connection is lost. */
  readonly closes: boolean;
  fault(released: Promise<void>): Fault;
}

function kind(name: string, fault: (released: Promise<void>) => Fault): FaultKind {
  const { until, answered, closes } = fault(Promise.resolve());
  const isHeld = until !== undefined || answered !== undefined;
  return { name, isHeld, closes: closes !== undefined, fault };
}

/** Everything that a call to a store can end with, apart from what it should. */
export const FAULT_KINDS: readonly FaultKind[] = [
  kind('fails', () => ({ error: gone })),
  kind('fails, and nobody knows that it did', () => ({ error: unknown })),
  kind('fails, and is stored', () => ({ error: unknown, stored: true })),
  kind('finds the connection closed', () => ({ error: gone, closes: gone })),
  kind('is stored, and cut off', () => ({ error: unknown, stored: true, closes: gone })),
  kind('is the last of its connection', () => ({ closes: gone })),
  kind('is done late', (until) => ({ until })),
  kind('is answered late', (answered) => ({ answered })),
  kind('hangs, and is given up', (until) => ({ until, error: unknown, closes: gone })),
  kind('hangs, is done and given up', (answered) => ({
    answered,
    error: unknown,
    stored: true,
  })),
];
