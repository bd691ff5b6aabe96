import type { Connection } from './connection.ts';
import type { TopicRegistry } from './topic-registry.ts';
import type { TopicSelection } from './topic-selection.ts';

export interface MissingTopicsOptions {
  readonly connection: Connection;
  readonly registry: TopicRegistry;
  readonly selection: TopicSelection;
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
  const { connection, registry, selection, closing } = options;
  const { topics } = selection.subscription;
  if (topics.length === 0) return;
  const look = async (): Promise<void> => {
    const names = new Set((await registry.list()).map(({ name }) => name));
    if (closing.aborted) return;
    for (const name of topics) if (!names.has(name)) registry.tellMissing(name);
  };
  // The loop that reads reports an error of the listing.
  const cancel = connection.clock.after(PATIENCE_MS, () => void look().catch(() => {}));
  closing.addEventListener('abort', cancel, { once: true });
}
