import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { heldLocks, withLock } from '../../platform/locks/locks.ts';
import { workerName } from './worker-host.ts';

/**
 * The SharedWorkers that tabs have found broken: their code threw at the start, or they hang. The
 * browser returns such a worker under its name as long as a tab lives that has dialled it. So each
 * of these tabs holds a lock in the worker's name, shared with the others, and every tab dials the
 * first worker without such a lock. The locks end with the tabs, as the broken worker does.
 */

/** The deadline of the look for locks, in milliseconds. Without an answer no worker is passed over. */
const LOOK_MS = 1_000;

/** The generations of a log's worker that no tab has found broken, in the order in which to dial. */
export async function soundGenerations(
  log: string,
  clock: Clock,
): Promise<Iterator<number, never>> {
  const none = (): Error => new Error(`no answer within ${LOOK_MS} ms`);
  const held = await withDeadline(clock, LOOK_MS, heldLocks(), none).catch(() => []);
  return soundOf(log, new Set(held));
}

function* soundOf(log: string, held: ReadonlySet<string>): Generator<number, never> {
  for (let generation = 1; ; generation++) {
    if (!held.has(lockName(log, generation))) yield generation;
  }
}

/** Notes, for as long as this tab lives, that the worker is broken. */
export function markBroken(log: string, generation: number): void {
  const forever = (): Promise<never> => new Promise(() => {});
  // The note saves other tabs some seconds, and its loss costs no more.
  withLock(lockName(log, generation), { mode: 'shared' }, forever).catch(() => {});
}

function lockName(log: string, generation: number): string {
  return `broken/${workerName(log, generation)}`;
}
