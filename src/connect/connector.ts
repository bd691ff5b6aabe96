import { Closable, bindFacade } from '../base/handle.ts';
import { mistake } from '../base/argument.ts';
import type { Consumer } from '../client/consumer/consumer.ts';
import type { AssignedPartition } from '../client/fetch/consumer-events.ts';
import type { HandlerContext } from '../client/run/run-options.ts';
import type { Log } from '../client/log.ts';
import type { MessageBatch, TopicFilter } from '../client/message/message.ts';
import type { Producer } from '../client/producer/producer.ts';
import { systemClock, within } from '../platform/clock.ts';
import { isHidden } from '../platform/page-lifecycle.ts';
import { reportCallbackError } from '../platform/report-callback-error.ts';
import { Circuit } from './circuit.ts';
import { checkConnectOptions } from './connect-options.ts';
import type { CheckedConnectOptions, ConnectOptions } from './connect-options.ts';
import { GroupProgress, checkOthers, newConsumer } from './connector-group.ts';
import { ConnectorHealth } from './connector-health.ts';
import type { ConnectorStatus } from './connector-status.ts';
import { settleRefused } from './refused-records.ts';
import { SinkError, toSinkError } from './sink/sink-error.ts';
import { SinkTasks } from './sink-tasks.ts';
import { chain } from './sink/transforms.ts';

/** The part of a service worker's event that `drain()` uses. */
export interface WaitingEvent {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * Delivers the records of topics to a sink, for as long as the log is open (Kafka Connect). Every tab
 * makes the connector with the same name: the tabs share the partitions, and when a tab goes, others
 * take its partitions over where the target says that it stands.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option, and `CLOSED` once the log is closed.
 */
export function connect<T extends TopicFilter>(log: Log, options: ConnectOptions<T>): Connector {
  if (typeof log?.consumer !== 'function') throw mistake('connect() takes an open log', log);
  return new Connector(log, checkConnectOptions(options));
}

/** A running connector of this tab, made by `connect()`. Close it, or the log, when done. */
export class Connector extends Closable {
  readonly name: string;
  readonly #log: Log;
  readonly #options: CheckedConnectOptions;
  readonly #circuit: Circuit;
  readonly #tasks: SinkTasks;
  readonly #health: ConnectorHealth;
  readonly #listening = new AbortController();
  #consumer: Consumer<string> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** The producer of dead letters. */
  #letters: Producer | undefined;
  /** `restart()` and `close()`, one after the other. */
  #ending: Promise<void> = Promise.resolve();
  #delivered = 0;
  #lost = 0;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(log: Log, options: CheckedConnectOptions) {
    super();
    bindFacade(this);
    this.name = options.name;
    this.#log = log;
    this.#options = options;
    const { backoffMs, maxBackoffMs, transform, onStatus } = options;
    this.#health = new ConnectorHealth(onStatus);
    this.#circuit = new Circuit({ clock: systemClock, backoffMs, maxBackoffMs });
    this.#tasks = new SinkTasks({
      connector: this.name,
      log,
      sink: options.sink,
      transform: chain(Array.isArray(transform) ? transform : [transform as never]),
      onRefused: (message, error) => {
        this.#letters ??= log.producer();
        return settleRefused(this.#letters, options, message, error);
      },
      onDelivered: (records) => {
        this.#delivered += records;
      },
      onLost: (offsets) => {
        this.#lost += offsets;
      },
    });
    const { signal } = this.#listening;
    // Hints that the target may be reached again: neither is relied on.
    const hint = (): void => void (isHidden() || this.#wake(true));
    globalThis.addEventListener?.('online', hint, { signal });
    globalThis.document?.addEventListener('visibilitychange', hint, { signal });
    this.#start();
  }

  /** The state, and how far the target is in each partition of this tab. */
  async status(): Promise<ConnectorStatus> {
    const consumer = this.#consumer;
    const { state, error, isOver } = this.#health;
    const places = isOver ? [] : (consumer?.assignment ?? []);
    const positions = places.map(
      (place) => this.#tasks.positionOf(place) ?? consumer!.position(place),
    );
    const ends = await this.#log.admin.listOffsets(
      places.map((place) => ({ ...place, at: 'latest' as const })),
    );
    return {
      name: this.name,
      state,
      error,
      retryAt: this.#circuit.retryAt,
      delivered: this.#delivered,
      lost: this.#lost,
      partitions: ends.map(({ topic, partition, offset: endOffset }, i) => {
        const position = positions[i]!;
        return { topic, partition, position, endOffset, lag: Math.max(endOffset - position, 0) };
      }),
    };
  }

  /** Stops the deliveries of this tab, which keeps its partitions. What is being put goes on. */
  pause(): void {
    this.#consumer?.pause();
    this.#health.pause(true);
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (!this.#health.isPaused) return;
    this.#consumer?.resume();
    this.#health.pause(false);
  }

  /** Begins anew, after 'failed' for instance: asks the target where it stands. */
  restart(): Promise<void> {
    const restarted = this.#ending.then(async () => {
      if (this.#listening.signal.aborted) {
        throw new TypeError('a closed connector cannot be restarted');
      }
      await this.#stop();
      this.#circuit.succeeded();
      this.#start();
    });
    this.#ending = restarted.catch(() => {}); // whoever has called it is told
    return restarted;
  }

  /**
   * Makes the next attempt now, and not after the wait: when the user has signed in again, for
   * instance. Does nothing where no attempt has failed.
   */
  wake(): void {
    this.#wake(false);
  }

  #wake(isHint: boolean): void {
    if (!this.#circuit.wake(isHint)) return;
    for (const { offset, ...place } of this.#tasks.waiting()) {
      // Messages that wait are dropped, and polled again at once.
      this.#consumer?.seek(offset, place).catch(() => {}); // the partition is another tab's now
    }
  }

  /**
   * Resolves when the target has all that is stored now, by whichever tab. Begins by an attempt, where
   * one waits. Rejects with the `SinkError` of the first attempt of this tab that fails, so that a
   * browser's Background Sync tries again, and with one where the connector is paused or closed.
   * `event`: an event of a service worker, which is to last as long.
   */
  drain(event?: WaitingEvent): Promise<void> {
    const drained = this.#drain();
    event?.waitUntil(drained);
    return drained;
  }

  /** Leaves the group, so that other tabs go on at once, and closes the sink. Idempotent. */
  override close(): Promise<void> {
    return (this.#closed ??= this.#ending.then(() => this.#close()));
  }

  async #close(): Promise<void> {
    this.#listening.abort();
    try {
      await this.#stop();
      await this.#letters?.close();
    } finally {
      this.#health.closed();
      await this.#options.sink.close?.();
    }
  }

  #start(): void {
    const consumer = newConsumer(this.#log, this.#options);
    this.#consumer = consumer;
    consumer.on('assigned', ({ partitions }) => {
      for (const place of partitions) {
        // A target that cannot be asked now is asked with the next batch.
        this.#align(consumer, place).catch(() => {});
      }
    });
    if (this.#health.isPaused) consumer.pause();
    this.#health.starting();
    for (const event of ['revoked', 'lost'] as const) {
      consumer.on(event, ({ partitions }) => {
        for (const place of partitions) this.#tasks.forget(place);
      });
    }
    this.#running = this.#run(consumer).then(
      () => this.#ended(consumer),
      (error: unknown) => {
        if (this.#consumer === consumer) this.#fail(toSinkError(error));
      },
    );
  }

  /** The consumer ends by itself where the log was closed. */
  #ended(consumer: Consumer<string>): void {
    if (this.#consumer !== consumer) return;
    this.#consumer = undefined;
    this.close().catch((error: unknown) => reportCallbackError('close() of a sink', error));
  }

  async #stop(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.#tasks.clear();
    await consumer?.close();
    await this.#running;
  }

  async #run(consumer: Consumer<string>): Promise<void> {
    const { maxRecords, lingerMs, concurrency } = this.#options;
    await consumer.ready;
    await checkOthers(this.#log, this.name, consumer.memberId!);
    this.#health.running();
    await consumer.run({
      eachBatch: (batch, context) => this.#deliver(consumer, batch, context),
      max: maxRecords,
      maxWaitMs: lingerMs,
      concurrency,
      onError: 'stop',
    });
  }

  async #deliver(
    consumer: Consumer<string>,
    batch: MessageBatch<string>,
    context: HandlerContext,
  ): Promise<void> {
    const later = (ms: number): Error => {
      this.#tasks.waits(batch, true);
      return context.retryAfter(ms);
    };
    const attempt = this.#circuit.enter();
    if (typeof attempt === 'number') throw later(attempt);
    this.#tasks.waits(batch, false);
    let isMoved: boolean;
    try {
      const task = await this.#tasks.taskOf(consumer, batch);
      isMoved = await task.deliver(batch, context);
    } catch (error) {
      this.#circuit.left(attempt);
      const failure = toSinkError(error);
      // Whatever the target says, it says it to nobody now.
      if (context.signal.aborted || this.#consumer !== consumer) throw failure;
      if (failure.kind === 'fatal' || failure.kind === 'refused') {
        this.#fail(failure); // others that are being put may take long
        throw failure;
      }
      const ms = this.#circuit.failed(attempt, failure.retryAfterMs);
      this.#health.failed(failure);
      throw later(ms);
    }
    if (this.#consumer !== consumer) return;
    this.#tasks.delivered(batch);
    this.#circuit.succeeded();
    this.#health.running();
    if (isMoved) throw context.retryAfter(0); // these messages are dropped
  }

  async #align(consumer: Consumer<string>, place: AssignedPartition): Promise<void> {
    const task = await this.#tasks.taskOf(consumer, place);
    if (this.#consumer === consumer) await task.align({ signal: this.#listening.signal });
  }

  #fail(failure: SinkError): void {
    this.#health.stopped(failure);
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.close().catch(() => {}); // other tabs may do better
  }

  async #drain(): Promise<void> {
    const { failures } = this.#health;
    const mustGoOn = (): void => {
      const { state, error, isPaused } = this.#health;
      if (state === 'failed' || this.#health.failures > failures) throw error!;
      if (state === 'closed') throw new SinkError('retry', 'the connector is closed');
      if (isPaused) throw new SinkError('retry', 'the connector is paused');
    };
    mustGoOn();
    this.#wake(false);
    const consumer = this.#consumer;
    await consumer?.ready;
    // Where the target has less than was committed, it is behind without a record that comes.
    const places = consumer?.assignment ?? [];
    await Promise.all(places.map((place) => this.#align(consumer!, place)));
    mustGoOn();
    const progress = await GroupProgress.upToNow(this.#log, this.name, this.#options.topics);
    for (;;) {
      const { change } = this.#health;
      mustGoOn();
      const isDone = await progress.isDone((place) => this.#tasks.told(place));
      if (isDone && !this.#tasks.hasInHand) return;
      // Other tabs tell nothing of their deliveries.
      await within(systemClock, LOOK_MS, change);
    }
  }
}

/** How often `drain()` looks at what other tabs have delivered, in milliseconds. */
const LOOK_MS = 250;
