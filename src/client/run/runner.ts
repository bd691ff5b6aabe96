import { nextTurn } from '../../platform/turns.ts';
import { deferred } from '../../base/deferred.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import { throwIfDeleted } from '../poll/message-loop.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';
import type { TopicFilter } from '../message/message.ts';
import { asTopic } from '../topics/topic.ts';
import { checkRunOptions } from './check-run-options.ts';
import type { CheckedRunOptions } from './check-run-options.ts';
import { DroppedItems } from './dropped-items.ts';
import { ItemProcessor } from './item-processor.ts';
import type { BatchRunOptions, RunOptions } from './run-options.ts';
import { endItem } from './work-item.ts';
import type { WorkItem } from './work-item.ts';
import { WorkPoller } from './work-poller.ts';
import { WorkQueue } from './work-queue.ts';

/** The parts of a consumer that a runner uses. */
export interface RunnerSource {
  readonly subscription: TopicSubscription;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly readers: readonly PartitionReader[];
  readonly loop: MessageLoop;
  readonly decodeErrors: DecodeErrorPolicy;
  /**
   * Whether the consumer was given an `onDecodeError`, which takes precedence over the run's
   * `onError`.
   */
  readonly decidesOnDecodeErrors: boolean;
}

/**
 * Checks the options, and that the dead letter topic of the options exists. Throws a `TypeError`, a
 * `RangeError` or `UNKNOWN_TOPIC`.
 */
export async function startRunner<T extends TopicFilter>(
  options: RunOptions<T> | BatchRunOptions<T>,
  source: RunnerSource,
): Promise<Runner> {
  const { decodeErrors, subscription } = source;
  const checked = checkRunOptions(options, decodeErrors.deadLetterTopic);
  const { deadLetterTopic } = checked;
  subscription.checkDeadLetterTopic(deadLetterTopic);
  if (deadLetterTopic !== undefined) {
    await decodeErrors.topicMetadata.load(asTopic(deadLetterTopic).name);
  }
  return new Runner(source, checked);
}

/**
 * Runs up to `concurrency` handlers side by side.
 *
 * The way of a message: the `WorkPoller` polls it into the `WorkQueue`, as a work item or as part
 * of one. `#startAll` starts the first item of each shard while a handler slot is free. The
 * `ItemProcessor` calls the handler, delays and retries the item, or stores it as a dead letter.
 * `#start` ends the item: processed, or dropped into `DroppedItems`.
 */
class Runner {
  readonly #source: RunnerSource;
  readonly #options: CheckedRunOptions;
  readonly #queue = new WorkQueue();
  readonly #poller: WorkPoller;
  readonly #processor: ItemProcessor;
  /** The items that were started and have not ended, delayed ones included. */
  readonly #started = new Set<WorkItem>();
  readonly #dropped = new DroppedItems();
  /** The error that ends the run. */
  #failure: { readonly error: unknown } | undefined;
  /** Resolves when an item ends or a handler slot is freed. */
  #change = deferred();

  constructor(source: RunnerSource, options: CheckedRunOptions) {
    this.#source = source;
    this.#options = options;
    const { loop } = source;
    this.#poller = new WorkPoller({
      ...source,
      run: options,
      queue: this.#queue,
      clock: source.decodeErrors.connection.clock,
      onBatchDue: () => this.#changed(),
    });
    this.#processor = new ItemProcessor({
      ...source,
      run: options,
      isOver: (item) => this.#isOver(item),
      mayDeliver: () => loop.mayDeliver,
      handling: ({ reader, offset }) => loop.handling(reader, offset),
      hasFreeSlot: () => this.#handling < options.concurrency,
      change: () => Promise.race([loop.arrival, this.#change.promise]),
      onSlotFreed: () => {
        this.#startAll();
        this.#changed();
      },
    });
  }

  /** Resolves when the consumer closes. Rejects with an error that ends the run earlier. */
  async run(): Promise<void> {
    const { closing, loop } = this.#source;
    // One listener wakes all delayed items, and the wait for handlers, which may hang.
    const wakeAll = (): void => {
      this.#processor.wake(() => true);
      this.#changed();
    };
    closing.addEventListener('abort', wakeAll, { once: true });
    try {
      while (!closing.aborted && this.#failure === undefined) {
        if (loop.isTurnOver) {
          await nextTurn();
          continue; // the consumer may have been closed in that turn
        }
        const { arrival } = loop;
        const change = this.#change.promise;
        this.#processor.wake((item) => this.#isOver(item)); // a seek may have made items obsolete
        const hasPolled = !this.#isFull && this.#poller.poll();
        this.#startAll(); // also the items of partitions that were paused
        if (this.#isFull) await Promise.race([arrival, change]);
        else if (!hasPolled) await Promise.race([loop.more(arrival), change]);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
    wakeAll();
    this.#dropUnstarted(() => true);
    while (this.#started.size > 0 && !closing.aborted) await this.#change.promise;
    closing.removeEventListener('abort', wakeAll);
    if (!closing.aborted) {
      this.#dropped.rewind();
      this.#poller.putBack();
    }
    this.#poller.close();
    if (this.#failure !== undefined) throw this.#failure.error;
    throwIfDeleted(closing);
  }

  /** Stops starting items of a partition, because the partition moves to another member. */
  giveUp(reader: PartitionReader): void {
    this.#poller.giveUp(reader);
    this.#dropUnstarted((item) => item.reader === reader);
    this.#processor.wake((item) => item.reader === reader);
  }

  /**
   * Whether polling pauses now. With one handler, the next message is polled when the queue is
   * empty. With batches, the next batch is polled when its handler can start. For messages with
   * several handlers the poller bounds the queue instead.
   */
  get #isFull(): boolean {
    const { batches, concurrency } = this.#options;
    if (batches === undefined) return concurrency === 1 && !this.#queue.isEmpty;
    const shards = [...this.#queue.heads()].length;
    return shards - this.#processor.waiting >= concurrency;
  }

  /**
   * The number of handlers that run. A delayed item, and an item that is becoming a dead letter,
   * has no handler.
   */
  get #handling(): number {
    return this.#started.size - this.#processor.waiting;
  }

  /**
   * Starts the first item of each shard while a handler slot is free. Every item gets its turn,
   * because a waiting item takes no slot, and a shard whose item has ended goes behind the other
   * shards. This matters most for the oldest item of a partition, because dead letters may wait for
   * it.
   */
  #startAll(): void {
    const { closing, loop } = this.#source;
    if (closing.aborted || this.#failure !== undefined) return;
    for (const item of this.#queue.heads()) {
      const isFull = this.#handling + this.#processor.due >= this.#options.concurrency;
      if (isFull || !loop.mayDeliver) return;
      if (this.#started.has(item) || item.reader.isPaused || this.#dropped.blocks(item)) continue;
      void this.#start(item);
    }
  }

  async #start(item: WorkItem): Promise<void> {
    this.#started.add(item);
    try {
      const end = this.#isOver(item) ? 'dropped' : await this.#processor.process(item);
      if (end === 'processed') endItem(item, end);
      else this.#dropped.add(item);
    } catch (error) {
      this.#failure ??= { error };
      this.#dropped.add(item);
      this.#processor.wake(() => true);
    }
    this.#started.delete(item);
    this.#queue.remove(item);
    this.#startAll();
    this.#changed();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = deferred();
  }

  /**
   * Whether an item is obsolete, because its messages are delivered again, here or to another
   * member.
   */
  #isOver({ reader, seekVersion }: WorkItem): boolean {
    const isGone = !reader.state.isCurrent(seekVersion);
    return isGone || this.#source.closing.aborted || this.#failure !== undefined;
  }

  #dropUnstarted(which: (item: WorkItem) => boolean): void {
    for (const item of this.#queue.all()) {
      if (this.#started.has(item) || !which(item)) continue;
      this.#dropped.add(item);
      this.#queue.remove(item);
    }
  }
}

export type { Runner };
