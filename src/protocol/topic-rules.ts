import type { TopicConfigChanges } from './topic.ts';

/** The reason why two options of a topic contradict each other; `undefined`: they do not. */
export function contradiction({
  storage,
  retention,
  protectUncommitted = [],
}: TopicConfigChanges): string | undefined {
  if (storage !== 'memory') return undefined;
  if (retention?.bytes === null) return 'in memory it needs a bound, and retention.bytes is null';
  return protectUncommitted.length > 0
    ? 'in memory nothing is kept for protectUncommitted'
    : undefined;
}
