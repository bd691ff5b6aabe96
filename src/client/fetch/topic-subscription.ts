import { checkDistinct } from '../../base/argument.ts';
import { isRegExp } from '../../base/brand.ts';
import type { Subscription } from '../../protocol/group.ts';
import type { TopicFilter } from '../message/message.ts';
import { asTopic } from '../topics/topic.ts';
import type { Topic, TopicLike } from '../topics/topic.ts';

/** The subscription of a consumer: topics by name, and all topics whose names match a pattern. */
export class TopicSubscription {
  readonly subscription: Subscription;
  readonly #topics = new Map<string, Topic>();

  /** Throws a `TypeError` for a topic that is given twice. */
  constructor(wanted: readonly TopicFilter[]) {
    const patterns: RegExp[] = [];
    const names: string[] = [];
    for (const topicLike of wanted) {
      if (isRegExp(topicLike)) {
        // With the flags 'g' and 'y' each test would begin where the last one ended.
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

  /**
   * The topic of this name, if the subscription has it. A topic that only matches a pattern has
   * keys and values of bytes.
   */
  get(name: string): Topic | undefined {
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    const matches = this.subscription.patterns.some((pattern) => pattern.test(name));
    return matches ? asTopic(name) : undefined;
  }

  /** Whether the subscription names the topic, and not only matches it by a pattern. */
  isNamed(name: string): boolean {
    return this.#topics.has(name);
  }

  /**
   * Throws a `TypeError` where the subscription names the dead letter topic: its records would be
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

  /** The topic. Throws a `TypeError` for a topic that the subscription does not have. */
  mustGet(topicLike: TopicLike): Topic {
    const { name } = asTopic(topicLike);
    const topic = this.get(name);
    if (topic !== undefined) return topic;
    throw new TypeError(`this consumer does not read the topic '${name}'`);
  }
}
