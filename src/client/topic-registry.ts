import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import { openHintChannel } from '../protocol/hint.ts';
import type { Hint, HintChannel } from '../protocol/hint.ts';
import type { Connection } from './connection.ts';

/** Bounds how late a change of topics is noticed when its hint is lost (Kafka's `metadata.max.age.ms`). */
export const METADATA_MAX_AGE_MS: number = 30_000;

/** A read of all topics that is under way. */
interface Reading {
  /** The number of changes heard of when the read began. */
  readonly changes: number;
  readonly done: Promise<void>;
}

/**
 * What a tab knows of the log's topics (Kafka's `ProducerMetadata`). Nothing that was known is ever
 * forgotten: it goes stale, and is read anew in the background. By age, it serves until then; after a
 * hint that topics have changed, calls wait for the read, unless the page is leaving.
 */
export class TopicRegistry {
  readonly #connection: Connection;
  readonly #channel: HintChannel;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (text: string) => void;
  readonly #toldMissing = new Set<string>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  /** When the topics were read, in milliseconds since 1970; `undefined`: not yet. */
  #readAt: number | undefined;
  /** How often topics were said to have changed. */
  #changes = 0;
  /** How many of the changes `#topics` has seen. */
  #seen = 0;
  #reading: Reading | undefined;
  /** The read after the one that is under way: however many changes come meanwhile, one is enough. */
  #queued: Promise<void> | undefined;
  /** Resolves when the page begins to leave. */
  #leaving: Deferred = deferred();

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
    const leave = (): void => {
      this.#leaving.resolve();
      this.#leaving = deferred();
    };
    connection.page.onLeave(leave, connection.closed);
  }

  /** The topic as last seen, unless topics have changed since: for who cannot wait because of its age. */
  get(name: string): TopicInfo | undefined {
    this.checkAge();
    return this.#isStale ? undefined : this.#topics.get(name);
  }

  /** The topic as last seen, whatever has happened since: its id fences what is sent to it. */
  lastKnown(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** Has topics read in the background where what is known is too old, or could not be read. */
  checkAge(): void {
    if (this.#readAt === undefined && this.#changes === 0) return; // nobody has asked yet
    const { aborted } = this.#connection.closed;
    if (!this.isCurrent && this.#reading === undefined && !aborted) this.#refresh();
  }

  /** Whether what is known is neither old nor said to have changed. */
  get isCurrent(): boolean {
    if (this.#readAt === undefined || this.#isStale) return false;
    return this.#connection.clock.now() - this.#readAt < METADATA_MAX_AGE_MS;
  }

  /** Knows the topics with which the log was opened; of changes that were heard of since, it may not. */
  opened(topics: readonly TopicInfo[]): void {
    this.#know(topics, 0);
  }

  /** All topics, known or looked up. */
  async list(): Promise<readonly TopicInfo[]> {
    if (!this.isCurrent) await this.#fresh();
    return [...this.#topics.values()];
  }

  /**
   * The topic, known or looked up; as last seen where the page leaves or topics cannot be read now.
   * Throws `UNKNOWN_TOPIC`.
   */
  async load(name: string): Promise<TopicInfo> {
    const known = this.lastKnown(name);
    if (known !== undefined && this.isCurrent) return known;
    const fresh = this.#fresh();
    if (known === undefined) {
      await fresh;
    } else {
      const left = this.#connection.page.isLeaving ? undefined : this.#leaving.promise;
      await Promise.race([fresh, left]).catch(() => {});
    }
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    throw new TablogError(UNKNOWN_TOPIC, `there is no topic '${name}'`, {
      details: { topic: name },
    });
  }

  /** Topics have changed, or what is known of one was wrong: calls wait until they have been read. */
  forget(): void {
    this.#changes++;
    if (!this.#connection.closed.aborted) this.#refresh();
  }

  /** Calls `listener` when topics have been read anew; returns how to stop. */
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

  get #isStale(): boolean {
    return this.#seen < this.#changes;
  }

  #refresh(): void {
    this.#fresh().catch(() => {}); // whoever needs it asks again, and is told
  }

  /** Resolves when all changes so far have been seen: one read is under way, and one queued, at most. */
  #fresh(): Promise<void> {
    if (this.#reading === undefined) return this.#read();
    if (this.#reading.changes === this.#changes) return this.#reading.done;
    const next = (): Promise<void> => {
      this.#queued = undefined;
      return this.#fresh();
    };
    return (this.#queued ??= this.#reading.done.then(next, next));
  }

  #read(): Promise<void> {
    const changes = this.#changes;
    const reading = async (): Promise<void> => {
      try {
        this.#know(await this.#connection.call('listTopics', null), changes);
      } finally {
        this.#reading = undefined;
      }
      for (const listener of this.#listeners) listener();
    };
    const done = reading();
    this.#reading = { changes, done };
    return done;
  }

  #know(topics: readonly TopicInfo[], changes: number): void {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
    this.#readAt = this.#connection.clock.now();
    this.#seen = changes;
  }
}
