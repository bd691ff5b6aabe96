import type { Log } from '../src/index.ts';
import { DEMO_TOPICS, createDemoTopics, isFromEmptying, isPassing } from './demo-log.ts';
import type { DemoConsumer } from './demo-log.ts';
import { RECENT_RECORDS } from './lane-state.ts';
import { sleep } from './sleep.ts';
import { TopicState } from './topic-state.ts';

const RETRY_MS = 1000;

export interface FollowerEvents {
  readonly onChange: () => void;
  /** Called when a topic was deleted and created again: nothing known of the old one holds. */
  readonly onRenewed: () => void;
  readonly onError: (error: unknown) => void;
}

/** Reads both topics with one consumer, and keeps what is known of them. */
export class Follower {
  readonly topics: readonly TopicState[] = DEMO_TOPICS.map((topic) => new TopicState(topic));
  readonly #log: Log;
  readonly #events: FollowerEvents;
  #consumer: DemoConsumer | undefined;

  constructor(log: Log, events: FollowerEvents) {
    this.#log = log;
    this.#events = events;
  }

  /** Follows the log for as long as the page lives. */
  async run(): Promise<void> {
    for (;;) {
      try {
        await this.#follow();
      } catch (error) {
        if (!isFromEmptying(error)) this.#events.onError(error);
        if (!isPassing(error)) return;
        await sleep(RETRY_MS);
      }
    }
  }

  /** Asks for the totals. A topic that was made anew is followed from there. */
  async refresh(): Promise<void> {
    const descriptions = await this.#describe();
    const changes = this.topics.map((topic, i) => topic.describe(descriptions[i]!));
    if (changes.includes('renewed')) this.#events.onRenewed();
    this.#events.onChange();
    if (changes.some((change) => change !== 'same')) await this.#consumer?.close();
  }

  async #follow(): Promise<void> {
    await createDemoTopics(this.#log);
    const consumer = this.#log.consumer({
      topics: DEMO_TOPICS,
      from: 'latest',
      onDecodeError: 'skip', // a record of other code of the origin ends no view
    });
    try {
      await consumer.ready;
      await this.refresh();
      this.#consumer = consumer;
      await this.#seekNearTheEnd(consumer);
      // A hidden tab is not drawn but still reads, so that it is up to date when it is looked at.
      for await (const batch of consumer.batches({ max: 5000 })) {
        this.topics.find(({ name }) => name === batch.topic)?.add(batch);
        this.#events.onChange();
      }
    } finally {
      this.#consumer = undefined;
      await consumer.close();
    }
  }

  /** However long the log is, the last screenful of each partition is all that is read of it. */
  async #seekNearTheEnd(consumer: DemoConsumer): Promise<void> {
    const seeks = this.topics.flatMap(({ name, lanes }) =>
      lanes.map(({ partition, startOffset, endOffset }) =>
        consumer.seek(Math.max(endOffset - RECENT_RECORDS, startOffset), {
          topic: name,
          partition,
        }),
      ),
    );
    await Promise.all(seeks);
  }

  #describe() {
    return this.#log.admin.describeTopics(DEMO_TOPICS);
  }
}
