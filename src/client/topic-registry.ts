import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import { openHintChannel } from '../protocol/hint.ts';
import type { Hint, HintChannel } from '../protocol/hint.ts';
import type { Connection } from './connection.ts';

/** What a tab knows of the log's topics. A hint that one has changed makes it look again. */
export class TopicRegistry {
  readonly #connection: Connection;
  readonly #channel: HintChannel;
  readonly #listeners = new Set<() => void>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  #reading: Promise<ReadonlyMap<string, TopicInfo>> | undefined;

  constructor(log: string, connection: Connection) {
    this.#connection = connection;
    this.#channel = openHintChannel(log, (data) => {
      if ((data as Partial<Hint> | null)?.kind === 'topics') this.forget();
    });
    connection.closed.addEventListener('abort', () => this.#channel.close(), { once: true });
  }

  /** The topic as last seen. */
  get(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** The topic, known or looked up; throws `UNKNOWN_TOPIC`. */
  async load(name: string): Promise<TopicInfo> {
    const topic = this.#topics.get(name) ?? (await this.#read()).get(name);
    if (topic !== undefined) return topic;
    throw new TablogError(UNKNOWN_TOPIC, `there is no topic '${name}'`, {
      details: { topic: name },
    });
  }

  /** What is known may be old: the next `load` asks the broker. */
  forget(): void {
    this.#topics = new Map();
    this.#reading = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` when topics may have changed; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #read(): Promise<ReadonlyMap<string, TopicInfo>> {
    if (this.#reading !== undefined) return this.#reading;
    const reading = this.#connection.call('listTopics', null).then((topics) => {
      const byName = new Map(topics.map((topic) => [topic.name, topic]));
      // Forgotten meanwhile: good enough for who asked before, but not to be kept.
      if (this.#reading === reading) this.#topics = byName;
      return byName;
    });
    this.#reading = reading;
    const done = (): void => {
      if (this.#reading === reading) this.#reading = undefined;
    };
    reading.then(done, done);
    return reading;
  }
}
