import { mistake } from '../../base/argument.ts';
import { Closable, bindFacade } from '../../base/handle.ts';
import { closed, isLogDeleted } from '../../base/error.ts';
import type { Consumer } from '../consumer/consumer.ts';
import { INTERNALS } from '../consumer/consumer-internals.ts';
import type { ConsumerInternals } from '../consumer/consumer-internals.ts';
import type { Log } from '../log.ts';
import type { MessageOf } from '../message/message.ts';
import { asError } from '../producer/admission.ts';
import { asTopic } from '../topics/topic.ts';
import type { KeyInput, TopicLike } from '../topics/topic.ts';
import { keyEncoder } from './table-key.ts';
import { TableListeners, reportUncaught } from './table-listeners.ts';
import type { TableListener } from './table-listeners.ts';
import { checkTableOptions } from './table-options.ts';
import type { TableOptions } from './table-options.ts';
import { readTable } from './table-reader.ts';
import type { TableSnapshot } from './table-snapshot.ts';
import { TableState } from './table-state.ts';

/**
 * The table of a topic, with the types of the topic's keys and values without null, and the type of
 * keys that `get` takes.
 */
export type TableOf<T extends TopicLike> = Table<
  Exclude<MessageOf<T>['key'], null>,
  Exclude<MessageOf<T>['value'], null>,
  KeyInput<T>
>;

/**
 * The latest value of each key of a topic, live (Kafka Streams' GlobalKTable): a record of any tab
 * is in the table as soon as the record is stored. Use a table with a compacted topic, as a rule. A
 * tombstone deletes its key, and records without a key are ignored.
 *
 * The table is read from the topic's first record, and empty until it is `ready`. The value of a
 * key is that of the key's last record in its partition. After partitions were added to a topic
 * with records, a key may have records in two partitions, and it is undefined which record counts.
 * Records that `retention` or `deleteRecords` removes stay in a table that has read them. A table
 * whose tab was frozen for longer than the topic's `deleteRetentionMs` reads the whole topic again,
 * because the table may have missed tombstones.
 *
 * Throws a `TypeError` for a bad topic or option, and `CLOSED` once the log is closed. Close the
 * table, or the log, when done.
 */
export function table<T extends TopicLike>(
  log: Log,
  topic: T,
  options: TableOptions = {},
): TableOf<T> {
  if (typeof log?.consumer !== 'function') throw mistake('table() takes an open log', log);
  return new Table(log, topic, checkTableOptions(options)) as unknown as TableOf<T>;
}

/** A read-only map that changes, made by `table()`. */
export class Table<K, V, I = K> extends Closable implements Iterable<[K, V]> {
  /**
   * Resolves when the table has all records that the topic had when the table was made; where the
   * topic does not exist, once the topic is created. Rejects with an error that stops the table
   * earlier, and with `CLOSED` where the table is closed earlier.
   */
  readonly ready: Promise<void>;
  /**
   * The current snapshot: the same object until an entry changes. Works without `this`, as React's
   * `useSyncExternalStore` calls it.
   */
  readonly snapshot: () => TableSnapshot<K, V, I> = () => this.#state.snapshot;
  /**
   * Calls `listener` at once, and then once for each batch of changes; returns a function that ends
   * the subscription. A table is therefore a Svelte store. Works without `this`, as React calls it.
   * The first batch comes when the table is `ready`, and has all entries of the table. Throws a
   * `TypeError` where `listener` is no function.
   */
  readonly subscribe: (listener: TableListener<K, V, I>) => () => void = (listener) =>
    this.#listeners.add(listener, this.#state.snapshot);

  readonly #consumer: Consumer<TopicLike>;
  readonly #internals: ConsumerInternals;
  readonly #topic: string;
  readonly #onError: ((error: Error) => void) | undefined;
  readonly #state: TableState<K, V, I>;
  readonly #listeners = new TableListeners<K, V, I>();
  readonly #ended: Promise<void>;
  #settleReady!: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  #isReady = false;
  #error: Error | undefined;

  /** @internal */
  constructor(
    log: Log,
    topic: TopicLike,
    { onError, onDecodeError = 'fail', ...options }: TableOptions,
  ) {
    super();
    bindFacade(this);
    const known = asTopic(topic);
    this.#topic = known.name;
    this.#state = new TableState(keyEncoder(known));
    this.#onError = onError;
    this.#consumer = log.consumer({ ...options, topics: [topic], from: 'earliest' });
    this.#internals = this.#consumer[INTERNALS]();
    this.ready = new Promise((resolve, reject) => (this.#settleReady = { resolve, reject }));
    // A reset follows a loss of records, unread or with a worker's memory: the partition is read
    // again from its first record.
    this.#consumer.on('reset', ({ partition }) => this.#state.deletePartition(partition));
    this.#ended = this.#run(onDecodeError);
  }

  /**
   * The error that stopped the table; `undefined` while the table runs, and after `close()`. The
   * entries stay.
   */
  get error(): Error | undefined {
    return this.#error;
  }

  get size(): number {
    return this.#state.snapshot.size;
  }

  /**
   * The value of a key; `undefined` for a key without a value. Throws the errors of the topic's key
   * serde.
   */
  get(key: I): V | undefined {
    return this.#state.snapshot.get(key);
  }

  has(key: I): boolean {
    return this.#state.snapshot.has(key);
  }

  entries(): IterableIterator<[K, V]> {
    return this.#state.snapshot.entries();
  }

  keys(): IterableIterator<K> {
    return this.#state.snapshot.keys();
  }

  values(): IterableIterator<V> {
    return this.#state.snapshot.values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#state.snapshot.entries();
  }

  /**
   * Closes the table: it stops reading, and calls no listener any more. The entries stay.
   * Idempotent.
   */
  override async close(): Promise<void> {
    await this.#consumer.close();
    await this.#ended;
  }

  /** Reads until the table is closed, or an error stops the table. */
  async #run(onDecodeError: 'fail' | 'skip'): Promise<void> {
    const { closing, connection } = this.#internals;
    try {
      await this.#consumer.ready;
      await readTable({
        ...this.#internals,
        onDecodeError,
        topic: this.#topic,
        onMessage: (message) => this.#state.apply(message),
        onCaughtUp: () => this.#caughtUp(),
        restart: () => this.#restart(),
      });
      throw closed('table', connection.closed);
    } catch (thrown) {
      const isClosed = closing.aborted && !isLogDeleted(closing.reason);
      if (isClosed) this.#end(closed('table'));
      else this.#fail(asError(thrown));
    } finally {
      await this.#consumer.close();
      this.#listeners.clear();
    }
  }

  async #restart(): Promise<void> {
    await this.#consumer.seek('earliest');
    this.#state.reload();
  }

  #caughtUp(): void {
    const changes = this.#state.publish();
    if (changes.length > 0) this.#listeners.notify(this.#state.snapshot, changes);
    if (this.#isReady) return;
    this.#isReady = true;
    this.#settleReady.resolve();
  }

  #fail(error: Error): void {
    this.#error = error;
    const isReported = this.#onError !== undefined || !this.#isReady || isLogDeleted(error);
    this.#end(error);
    try {
      this.#onError?.(error);
    } catch (thrown) {
      reportUncaught(thrown);
    }
    this.#listeners.notify(this.#state.snapshot, []);
    if (!isReported) reportUncaught(error);
  }

  #end(reason: Error): void {
    // An application that called `close()` or passed `onError` need not handle a rejected `ready`
    // too.
    if (this.#error === undefined || this.#onError !== undefined) this.ready.catch(() => {});
    this.#settleReady.reject(reason);
  }
}
