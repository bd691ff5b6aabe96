import type { Connection } from '../connection/connection.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';

export interface MissingTopicsOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly selection: TopicSubscription;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
}

/** Enough time for an application that creates the topic right after the consumer. */
const PATIENCE_MS = 1_000;

/**
 * Warns on the console, after a while, about topics that a consumer waits for because they do not
 * exist: a misspelt name would otherwise look like a topic without records.
 */
export function tellMissingTopics(options: MissingTopicsOptions): void {
  const { connection, topicMetadata, selection, closing } = options;
  const { topics } = selection.subscription;
  if (topics.length === 0) return;
  const look = async (): Promise<void> => {
    const names = new Set((await topicMetadata.list()).map(({ name }) => name));
    if (closing.aborted) return;
    for (const name of topics) if (!names.has(name)) topicMetadata.tellMissing(name);
  };
  // The loop that reads reports an error of the listing.
  const cancel = connection.clock.after(PATIENCE_MS, () => void look().catch(() => {}));
  closing.addEventListener('abort', cancel, { once: true });
}
