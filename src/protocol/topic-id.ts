import { randomId } from '../platform/random-id.ts';
import type { RandomSource } from '../platform/random-id.ts';

/** The kind of storage of a topic's records. */
export type TopicStorage = 'disk' | 'memory';

/** The prefix tells without a lookup that the records are in a broker's memory. */
const IN_MEMORY = 'memory-';

export function newTopicId(storage: TopicStorage, random?: RandomSource): string {
  return `${storage === 'memory' ? IN_MEMORY : ''}${randomId(random)}`;
}

export function isInMemory(topicId: string): boolean {
  return topicId.startsWith(IN_MEMORY);
}
