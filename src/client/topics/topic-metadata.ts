import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { unknownTopic } from '../../base/error.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { openHintChannel } from '../../protocol/hint.ts';
import type { Hint, HintChannel } from '../../protocol/hint.ts';
import { lazyLogStatuses } from '../status/lazy-log-statuses.ts';
import type { UntimedStatus } from '../status/log-status.ts';
import type { Connection } from '../connection/connection.ts';

/**
 * The age at which the topics are read again, in milliseconds (Kafka's `metadata.max.age.ms`). The
 * age bounds how late a tab notices a change of topics whose hint was lost.
 */
export const METADATA_MAX_AGE_MS: number = 30_000;

/** A read of all topics that is in flight. */
interface MetadataRead {
  /** The value of `#changes` when the read began. */
  readonly changes: number;
  readonly done: Promise<void>;
}

/**
 * A tab's cache of all topics (Kafka's `Metadata`). A topic stays in the cache until a newer read
 * replaces the cache. When the cache is merely old, calls use the cached topics while a read runs
 * in the background. After a hint that topics have changed, calls wait for the read, unless the
 * page is leaving.
 */
export class TopicMetadata {
  readonly #connection: Connection;
  readonly #channel: HintChannel;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (status: UntimedStatus) => void;
  readonly #reportedMissing = new Set<string>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  /**
   * The time of the last read, in milliseconds since 1970; `undefined`: the topics were never read.
   */
  #readAt: number | undefined;
  /** The number of known changes of topics: hints, and topics that turned out to be wrong. */
  #changes = 0;
  /** The value of `#changes` that `#topics` includes. */
  #includedChanges = 0;
  #inFlight: MetadataRead | undefined;
  /**
   * The read that follows the read in flight. One queued read covers all changes until it begins.
   */
  #queued: Promise<void> | undefined;
  /** Resolves when the page begins to leave. */
  #leaving: Deferred = deferred();

  /**
   * `warn` reports a missing topic to the developer of the application. Default: `console.warn`.
   */
  constructor(
    log: string,
    connection: Connection,
    warn: (status: UntimedStatus) => void = (status) => {
      // oxlint-disable-next-line eslint/no-console -- a warning for developers, once for each topic
      console.warn(lazyLogStatuses.mustGet().lineOf(log, status)[1]);
    },
  ) {
    this.#warn = warn;
    this.#connection = connection;
    const onHint = (data: unknown): void => {
      const { kind } = (data ?? {}) as Partial<Hint>;
      if (kind === 'topics') this.forget();
      else if (kind === 'deleted') connection.checkDeleted();
    };
    this.#channel = openHintChannel(log, onHint, connection.platform.openChannel);
    connection.closed.addEventListener('abort', () => this.#channel.close(), { once: true });
    const onLeave = (): void => {
      this.#leaving.resolve();
      this.#leaving = deferred();
    };
    connection.page.onLeave(onLeave, connection.closed);
  }

  /**
   * The topic as last read, for callers that do not wait because of mere age; `undefined` if topics
   * have changed since the read.
   */
  get(name: string): TopicInfo | undefined {
    this.checkAge();
    return this.#isStale ? undefined : this.#topics.get(name);
  }

  /**
   * The topic as last read, even if topics have changed since. A stale topic does no harm to
   * `send`: the broker refuses the id of a topic that was deleted or created again.
   */
  lastKnown(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** Starts a read in the background where the last read is too old or failed. */
  checkAge(): void {
    if (this.#readAt === undefined && this.#changes === 0) return; // no call has needed a topic yet
    const { aborted } = this.#connection.closed;
    if (!this.isCurrent && this.#inFlight === undefined && !aborted) this.#refresh();
  }

  /** Whether the cache is neither old nor followed by a hint of a change. */
  get isCurrent(): boolean {
    if (this.#readAt === undefined || this.#isStale) return false;
    return this.#connection.clock.now() - this.#readAt < METADATA_MAX_AGE_MS;
  }

  /**
   * Takes the topics that `openLog` returned. A hint that arrived during the call may be newer than
   * these topics, so the hint still counts.
   */
  opened(topics: readonly TopicInfo[]): void {
    this.#update(topics, 0);
  }

  /** All topics, from the cache or read now. */
  async list(): Promise<readonly TopicInfo[]> {
    if (!this.isCurrent) await this.#fresh();
    return [...this.#topics.values()];
  }

  /**
   * The topic, from the cache or read now. Where the page is leaving, or the read fails, the result
   * is the topic of the stale cache. Throws `UNKNOWN_TOPIC`.
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
    // A list of topics leaves out a topic whose row is damaged: the description of it is the error.
    await this.#connection.call('describeTopics', [name]);
    throw unknownTopic(name); // it was created since the list was read
  }

  /**
   * Marks the cache as stale, because topics have changed or the broker refused a topic's id. Calls
   * wait until the topics have been read again.
   */
  forget(): void {
    this.#changes++;
    if (!this.#connection.closed.aborted) this.#refresh();
  }

  /**
   * Calls `listener` after each read of the topics; returns a function that removes the listener.
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Warns that a consumer waits for a topic that does not exist; once for each topic. */
  warnOfMissing(name: string): void {
    if (this.#reportedMissing.has(name)) return;
    this.#reportedMissing.add(name);
    const status = { type: 'topicMissing', topic: name } as const;
    this.#connection.observer?.emit(status);
    this.#warn(status);
  }

  get #isStale(): boolean {
    return this.#includedChanges < this.#changes;
  }

  #refresh(): void {
    this.#fresh().catch(() => {}); // a call that needs a topic reads again, and reports the error
  }

  /**
   * Resolves when the cache includes all changes so far. At most one read is in flight, and one is
   * queued.
   */
  #fresh(): Promise<void> {
    if (this.#inFlight === undefined) return this.#read();
    if (this.#inFlight.changes === this.#changes) return this.#inFlight.done;
    const next = (): Promise<void> => {
      this.#queued = undefined;
      return this.#fresh();
    };
    return (this.#queued ??= this.#inFlight.done.then(next, next));
  }

  #read(): Promise<void> {
    const changes = this.#changes;
    const read = async (): Promise<void> => {
      try {
        this.#update(await this.#connection.call('listTopics', null), changes);
      } finally {
        this.#inFlight = undefined;
      }
      for (const listener of this.#listeners) listener();
    };
    const done = read();
    this.#inFlight = { changes, done };
    return done;
  }

  #update(topics: readonly TopicInfo[], changes: number): void {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
    this.#readAt = this.#connection.clock.now();
    this.#includedChanges = changes;
  }
}
