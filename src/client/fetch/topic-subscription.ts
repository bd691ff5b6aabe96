import { checkDistinct } from '../../base/argument.ts';
import { isRegExp } from '../../base/brand.ts';
import type { Subscription } from '../../protocol/group.ts';
import type { TopicFilter } from '../message/message.ts';
import { asTopic } from '../topics/topic.ts';
import type { Topic, TopicLike } from '../topics/topic.ts';

/** What a consumer reads: topics, and all topics whose names match. */
export class TopicSubscription {
  readonly subscription: Subscription;
  readonly #topics = new Map<string, Topic>();

  /** Throws a `TypeError` where a topic comes twice. */
  constructor(wanted: readonly TopicFilter[]) {
    const patterns: RegExp[] = [];
    const names: string[] = [];
    for (const topicLike of wanted) {
      if (isRegExp(topicLike)) {
        // 'g' and 'y' would make each test begin where the last one ended.
        patterns.push(new RegExp(topicLike.source, topicLike.flags.replace(/[gy]/g, '')));
        continue;
      }
      const topic = asTopic(topicLike);
      names.push(topic.name);
      this.#topics.set(topic.name, topic);
    }
    checkDistinct('consumer() was given the topic', names);
    this.subscription = { topics: names, patterns };
  }

  /** The topic of this name, if it is selected; one that matches a pattern is of bytes and text. */
  get(name: string): Topic | undefined {
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    const matches = this.subscription.patterns.some((pattern) => pattern.test(name));
    return matches ? asTopic(name) : undefined;
  }

  /** Whether the topic is selected by name, and not only by a pattern. */
  isNamed(name: string): boolean {
    return this.#topics.has(name);
  }

  /**
   * Throws a `TypeError` where the dead letter topic is named in `topics`: its records would be
   * read again.
   */
  checkDeadLetterTopic(deadLetterTopic: TopicLike | undefined): void {
    if (deadLetterTopic === undefined) return;
    const { name } = asTopic(deadLetterTopic);
    if (!this.isNamed(name)) return;
    throw new TypeError(
      `the deadLetterTopic '${name}' is one of the topics that this consumer reads: ` +
        'dead letters would be buried again and again. Name another one',
    );
  }

  /** Throws a `TypeError` for a topic that is not selected. */
  mustGet(topicLike: TopicLike): Topic {
    const { name } = asTopic(topicLike);
    const topic = this.get(name);
    if (topic !== undefined) return topic;
    throw new TypeError(`this consumer does not read the topic '${name}'`);
  }
}
