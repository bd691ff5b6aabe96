import { STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import { retry } from '../../platform/retry.ts';

/**
 * The most repetitions. Each means one more change of the topics amid one read and the next, so that
 * a log on which nobody changes topics in a loop comes to its end with the first.
 */
const MAX_REPETITIONS = 10;

/** Another broker changed a topic between the read that a call builds on and its transaction. */
export class TopicChanging extends TablogError {
  constructor(topic: string) {
    super(STORAGE_UNAVAILABLE, `the topic '${topic}' is being changed`);
  }
}

/** Does `work` anew, from its first read on, as long as it throws `TopicChanging`. */
export function despiteChanges<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const isRetried = (error: unknown): boolean => error instanceof TopicChanging;
  const policy = { isRetried, retries: MAX_REPETITIONS, atOnce: MAX_REPETITIONS };
  return retry({ clock }, policy, work);
}
