import type { Connection } from '../connection/connection.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';

export interface MissingTopicsOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly subscription: TopicSubscription;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
}

/**
 * How long after the consumer's start the topics are checked, in milliseconds: enough time for an
 * application that creates the topic right after the consumer.
 */
const PATIENCE_MS = 1_000;

/**
 * Warns, after `PATIENCE_MS`, about topics of a consumer that do not exist. Without the warning a
 * misspelt name looks like a topic without records.
 */
export function warnOfMissingTopics(options: MissingTopicsOptions): void {
  const { connection, topicMetadata, subscription, closing } = options;
  const { topics } = subscription.subscription;
  if (topics.length === 0) return;
  const check = async (): Promise<void> => {
    const names = new Set((await topicMetadata.list()).map(({ name }) => name));
    if (closing.aborted) return;
    for (const name of topics) if (!names.has(name)) topicMetadata.warnOfMissing(name);
  };
  // An error of the listing is dropped here: the loop that reads the consumer reports it.
  const cancel = connection.clock.after(PATIENCE_MS, () => void check().catch(() => {}));
  closing.addEventListener('abort', cancel, { once: true });
}
