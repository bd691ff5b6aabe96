import { STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';

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
export async function despiteChanges<T>(work: () => Promise<T>): Promise<T> {
  for (let repetitions = 0; ; repetitions++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TopicChanging) || repetitions === MAX_REPETITIONS) throw error;
    }
  }
}
