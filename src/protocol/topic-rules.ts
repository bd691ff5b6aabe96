import type { TopicConfigChanges } from './topic.ts';

/** Why a topic cannot be so: what does not go together in its configuration. */
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
