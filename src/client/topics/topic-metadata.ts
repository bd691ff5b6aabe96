import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { UNKNOWN_TOPIC } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { openHintChannel } from '../../protocol/hint.ts';
import type { Hint, HintChannel } from '../../protocol/hint.ts';
import { lazyLogStatuses } from '../status/lazy-log-statuses.ts';
import type { UntimedStatus } from '../status/log-status.ts';
import type { Connection } from '../connection/connection.ts';

/**
 * Bounds how late a change of topics is noticed when its hint is lost (Kafka's
 * `metadata.max.age.ms`).
 */
export const METADATA_MAX_AGE_MS: number = 30_000;

/** A read of all topics under way. */
interface Reading {
  /** The value of `#changes` when the read began. */
  readonly changes: number;
  readonly done: Promise<void>;
}

/**
 * The topics as a tab knows them (Kafka's `ProducerMetadata`). A known topic is never forgotten:
 * what is known goes stale, and is read again. When it is merely old, calls use it while the read
 * runs in the background; after a hint that topics have changed, calls wait for the read, unless
 * the page is leaving.
 */
export class TopicMetadata {
  readonly #connection: Connection;
  readonly #channel: HintChannel;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (status: UntimedStatus) => void;
  readonly #toldMissing = new Set<string>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  /** When the topics were read, in milliseconds since 1970; `undefined`: not yet. */
  #readAt: number | undefined;
  /** The number of hints so far that topics have changed. */
  #changes = 0;
  /** The value of `#changes` that `#topics` includes. */
  #seen = 0;
  #reading: Reading | undefined;
  /** The read after the one under way; one covers all changes that come meanwhile. */
  #queued: Promise<void> | undefined;
  /** Resolves when the page begins to leave. */
  #leaving: Deferred = deferred();

  /**
   * `warn` tells the application's developer of a topic that is missing. Default: on the console.
   */
  constructor(
    log: string,
    connection: Connection,
    warn: (status: UntimedStatus) => void = (status) => {
      // oxlint-disable-next-line eslint/no-console -- said to developers, once a topic
      console.warn(lazyLogStatuses.mustGet().lineOf(log, status)[1]);
    },
  ) {
    this.#warn = warn;
    this.#connection = connection;
    const heard = (data: unknown): void => {
      const { kind } = (data ?? {}) as Partial<Hint>;
      if (kind === 'topics') this.forget();
      else if (kind === 'deleted') connection.heardOfDeletion();
    };
    this.#channel = openHintChannel(log, heard, connection.platform.openChannel);
    connection.closed.addEventListener('abort', () => this.#channel.close(), { once: true });
    const leave = (): void => {
      this.#leaving.resolve();
      this.#leaving = deferred();
    };
    connection.page.onLeave(leave, connection.closed);
  }

  /**
   * The topic as last read, for callers that cannot wait because of age; `undefined` if topics have
   * changed since.
   */
  get(name: string): TopicInfo | undefined {
    this.checkAge();
    return this.#isStale ? undefined : this.#topics.get(name);
  }

  /** The topic as last read, whatever has happened since: its id fences records sent to it. */
  lastKnown(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** Has topics read in the background where the last read is too old or failed. */
  checkAge(): void {
    if (this.#readAt === undefined && this.#changes === 0) return; // no call has needed a topic yet
    const { aborted } = this.#connection.closed;
    if (!this.isCurrent && this.#reading === undefined && !aborted) this.#refresh();
  }

  /** Whether the topics are neither old nor said to have changed. */
  get isCurrent(): boolean {
    if (this.#readAt === undefined || this.#isStale) return false;
    return this.#connection.clock.now() - this.#readAt < METADATA_MAX_AGE_MS;
  }

  /**
   * Takes the topics that came with the opening of the log; a change that was heard of meanwhile
   * may be newer.
   */
  opened(topics: readonly TopicInfo[]): void {
    this.#know(topics, 0);
  }

  /** All topics, known or looked up. */
  async list(): Promise<readonly TopicInfo[]> {
    if (!this.isCurrent) await this.#fresh();
    return [...this.#topics.values()];
  }

  /**
   * The topic, known or looked up; as last read where the page leaves or topics cannot be read now.
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

  /** Marks the topics as changed, or as wrong: calls wait until they have been read. */
  forget(): void {
    this.#changes++;
    if (!this.#connection.closed.aborted) this.#refresh();
  }

  /** Calls `listener` each time topics were read; returns a function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Warns, once a topic, that a consumer waits for a topic that does not exist. */
  tellMissing(name: string): void {
    if (this.#toldMissing.has(name)) return;
    this.#toldMissing.add(name);
    const status = { type: 'topicMissing', topic: name } as const;
    this.#connection.observer?.emit(status);
    this.#warn(status);
  }

  get #isStale(): boolean {
    return this.#seen < this.#changes;
  }

  #refresh(): void {
    this.#fresh().catch(() => {}); // a call that needs a topic asks again, and reports
  }

  /**
   * Resolves when all changes so far are included. At most one read is under way, and one queued.
   */
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
