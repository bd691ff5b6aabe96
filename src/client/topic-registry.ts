import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import { openHintChannel } from '../protocol/hint.ts';
import type { Hint, HintChannel } from '../protocol/hint.ts';
import type { Connection } from './connection.ts';

/** Bounds how late a change of topics is noticed when its hint is lost (Kafka's `metadata.max.age.ms`). */
export const METADATA_MAX_AGE_MS: number = 30_000;

/** What a tab knows of the log's topics. A hint that one has changed makes it look again. */
export class TopicRegistry {
  readonly #connection: Connection;
  readonly #channel: HintChannel;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (text: string) => void;
  readonly #toldMissing = new Set<string>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  #readAt = 0;
  #reading: Promise<ReadonlyMap<string, TopicInfo>> | undefined;

  /** `warn`: says something to whoever develops the application. */
  constructor(
    log: string,
    connection: Connection,
    // oxlint-disable-next-line eslint/no-console -- said to developers, once a topic
    warn: (text: string) => void = (text) => console.warn(text),
  ) {
    this.#warn = warn;
    this.#connection = connection;
    this.#channel = openHintChannel(log, (data) => {
      const { kind } = (data ?? {}) as Partial<Hint>;
      if (kind === 'topics') this.forget();
      else if (kind === 'deleted') connection.heardOfDeletion();
    });
    connection.closed.addEventListener('abort', () => this.#channel.close(), { once: true });
  }

  /** The topic as last seen, unless that was too long ago. */
  get(name: string): TopicInfo | undefined {
    this.checkAge();
    return this.#topics.get(name);
  }

  /** Forgets what is too old. */
  checkAge(): void {
    const { clock } = this.#connection;
    if (this.#topics.size > 0 && clock.now() - this.#readAt >= METADATA_MAX_AGE_MS) this.forget();
  }

  /** All topics, known or looked up. */
  async list(): Promise<readonly TopicInfo[]> {
    const known = this.#topics.size > 0 ? this.#topics : await this.#read();
    return [...known.values()];
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

  /** Says, once, that a consumer waits for a topic that does not exist. */
  tellMissing(name: string): void {
    if (this.#toldMissing.has(name)) return;
    this.#toldMissing.add(name);
    this.#warn(
      `tablog: a consumer waits for the topic '${name}', which the log '${this.#connection.log}' ` +
        'does not have. Create it with log.admin.createTopics(), or make the consumer with ' +
        'mustExist: true, which throws instead.',
    );
  }

  #read(): Promise<ReadonlyMap<string, TopicInfo>> {
    if (this.#reading !== undefined) return this.#reading;
    const reading = this.#connection.call('listTopics', null).then((topics) => {
      const byName = new Map(topics.map((topic) => [topic.name, topic]));
      // Forgotten meanwhile: good enough for who asked before, but not to be kept.
      if (this.#reading === reading) {
        this.#topics = byName;
        this.#readAt = this.#connection.clock.now();
      }
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
