import { randomId } from '../platform/random-id.ts';

/** Where a topic's records are. */
export type TopicStorage = 'disk' | 'memory';

/** So that whoever has an id knows, without a look, whom to ask for the records. */
const IN_MEMORY = 'memory-';

export function newTopicId(storage: TopicStorage): string {
  return storage === 'memory' ? `${IN_MEMORY}${randomId()}` : randomId();
}

export function isInMemory(topicId: string): boolean {
  return topicId.startsWith(IN_MEMORY);
}
