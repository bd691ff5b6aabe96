import { checkArray, mistake } from '../base/argument.ts';
import { isRegExp } from '../base/brand.ts';

/** Names of topics, or patterns. */
export type TopicPatterns = readonly (string | RegExp)[];

export function checkTopics(name: string, topics: unknown): void {
  checkArray(`${name} must be an array`, topics);
  for (const topic of topics) {
    // Of a global pattern each test would begin where the last one ended.
    const isPattern = isRegExp(topic) && !topic.global && !topic.sticky;
    if (typeof topic === 'string' || isPattern) continue;
    throw mistake(`each of ${name} must be a name, or a pattern without the flags g and y`, topic);
  }
}

export function matches(topics: TopicPatterns, topic: string): boolean {
  return topics.some((each) => (isRegExp(each) ? each.test(topic) : each === topic));
}
