import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { LogDescription } from './admin-options.ts';

/** The deadline of the browser's answers, which nothing depends on, in milliseconds. */
const ANSWER_MS = 3_000;

/** The browser's facts about the storage of the origin. */
export async function originStorage(
  clock: Clock,
): Promise<Pick<LogDescription, 'usageBytes' | 'persisted'>> {
  const manager = globalThis.navigator?.storage;
  // In a sandboxed frame without storage, `estimate()` rejects.
  const answered = <T>(answer: Promise<T> | undefined): Promise<T | undefined> =>
    withDeadline(clock, ANSWER_MS, Promise.resolve(answer), () => new Error('late')).catch(
      () => undefined,
    );
  const [estimate, persisted] = await Promise.all([
    answered(manager?.estimate?.()),
    answered(manager?.persisted?.()),
  ]);
  return { usageBytes: estimate?.usage, persisted: persisted ?? false };
}
