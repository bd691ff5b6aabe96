import {
  checkEach,
  checkFunction,
  checkMethods,
  checkMs,
  checkName,
  mistake,
} from '../base/argument.ts';
import { Closable, bindFacade } from '../base/handle.ts';
import { show } from '../base/show.ts';
import { deferred } from '../base/deferred.ts';
import type { Consumer } from '../client/consumer/consumer.ts';
import type { Log } from '../client/log.ts';
import type { Producer } from '../client/producer/producer.ts';
import type { TopicLike } from '../client/topics/topic.ts';
import { systemClock, within } from '../platform/clock.ts';
import { reportCallbackError } from '../platform/report-callback-error.ts';
import { Circuit } from './circuit.ts';
import { stateAfter } from './connector-health.ts';
import { SinkError, toSinkError } from './sink/sink-error.ts';
import type { Source, SourceBatch, SourceRecord } from './source.ts';

export interface SourceOptions {
  /**
   * The connector's name, the same in every tab, of which one reads at a time, in the group
   * `connect-source-` and the name. At most 180 of the characters A-Z a-z 0-9 . _ -.
   */
  readonly name: string;
  readonly source: Source;
  /** Where the records go; it must exist. */
  readonly topic: TopicLike;
  /** As of `connect()`; also the wait after a source that has ended. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Called when the state has changed. Default: nothing. */
  readonly onStatus?: (state: SourceState, error: SinkError | undefined) => void;
}

/** 'standby': another tab reads. The others mean what they mean of `connect()`. */
export type SourceState =
  | 'starting'
  | 'standby'
  | 'running'
  | 'offline'
  | 'backingOff'
  | 'unauthorized'
  | 'failed'
  | 'closed';

export interface SourceStatus {
  readonly name: string;
  readonly state: SourceState;
  /** The last failure; `undefined` once the source was reached again. */
  readonly error: SinkError | undefined;
  /** The stored position, of whichever tab; `undefined`: nothing was stored. */
  readonly position: string | undefined;
  /** The number of records that this tab has stored. */
  readonly stored: number;
}

/** The topic whose only partition the tabs of a connector contend for. It has no records. */
const TURNS = 'connect-sources';
const PREFIX = 'connect-source-';

/**
 * Stores what a source has in a topic, for as long as the log is open (Kafka Connect). Every tab makes
 * the connector with the same name, and one of them reads. Records and the position behind them are
 * stored in one transaction, which another tab's turn fences, so the source goes on exactly there,
 * whoever dies.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option, and `CLOSED` once the log is closed.
 */
export function connectSource(log: Log, options: SourceOptions): SourceConnector {
  if (typeof log?.consumer !== 'function') throw mistake('connectSource() takes an open log', log);
  return new SourceConnector(log, checkSourceOptions(options));
}

type Checked = Required<Omit<SourceOptions, 'onStatus'>> & Pick<SourceOptions, 'onStatus'>;

/**
 * A running connector of this tab, made by `connectSource()`. Close the connector when done: a log that is
 * closed ends the reading, and leaves the source open.
 */
export class SourceConnector extends Closable {
  readonly name: string;
  readonly #log: Log;
  readonly #options: Checked;
  readonly #circuit: Circuit;
  readonly #producer: Producer;
  readonly #closing = new AbortController();
  #consumer: Consumer<string> | undefined;
  /** Ends the turn of this tab; `undefined` while it has none. */
  #turn: AbortController | undefined;
  /** Settles when the last turn of this tab is over, with everything that it was storing. */
  #reading: Promise<void> = Promise.resolve();
  #state: SourceState = 'starting';
  #error: SinkError | undefined;
  #stored = 0;
  #wake = deferred();
  readonly #starting: Promise<void>;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(log: Log, options: Checked) {
    super();
    bindFacade(this);
    this.name = options.name;
    this.#log = log;
    this.#options = options;
    const { backoffMs, maxBackoffMs } = options;
    this.#circuit = new Circuit({ clock: systemClock, backoffMs, maxBackoffMs });
    this.#producer = log.producer();
    const { signal } = this.#closing;
    globalThis.addEventListener?.('online', () => this.wake(), { signal });
    this.#starting = this.#start().catch((error: unknown) => this.#fail(toSinkError(error)));
  }

  async status(): Promise<SourceStatus> {
    const { name } = this;
    const [state, error, stored] = [this.#state, this.#error, this.#stored];
    await this.#starting;
    return { name, state, error, stored, position: await this.#position() };
  }

  /** Makes the next attempt now, and not after the wait. */
  wake(): void {
    this.#circuit.wake(false);
    this.#wake.resolve();
    this.#wake = deferred();
  }

  /** Ends the reading, so that another tab goes on at once, and closes the source. Idempotent. */
  override close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#turn?.abort();
    await this.#starting;
    await this.#reading;
    await this.#consumer?.close();
    await this.#producer.close();
    this.#setState('closed');
    await this.#options.source.close?.();
  }

  async #start(): Promise<void> {
    await this.#log.admin.createTopics([TURNS]);
    if (this.#closing.signal.aborted) return;
    const consumer = this.#log.consumer({
      group: PREFIX + this.name,
      topics: [TURNS],
      commit: 'manual',
    });
    this.#consumer = consumer;
    consumer.on('assigned', () => this.#begin(consumer));
    for (const event of ['revoked', 'lost'] as const) {
      consumer.on(event, async () => {
        this.#turn?.abort();
        this.#turn = undefined;
        await this.#reading; // what is being stored is of this turn
        if (!this.#closing.signal.aborted && this.#state !== 'failed') this.#setState('standby');
      });
    }
    await consumer.ready;
    if (this.#turn === undefined) this.#setState('standby');
  }

  #begin(consumer: Consumer<string>): void {
    const before = this.#reading;
    const turn = new AbortController();
    this.#turn = turn;
    this.#reading = (async () => {
      await before;
      try {
        while (!turn.signal.aborted) await this.#attempt(consumer, turn.signal);
      } catch (error) {
        if (!turn.signal.aborted) this.#fail(toSinkError(error));
      }
    })();
  }

  /** Reads until the source ends or fails, and waits before the next attempt. */
  async #attempt(consumer: Consumer<string>, signal: AbortSignal): Promise<void> {
    let failure = new SinkError('retry', 'the source has ended');
    try {
      const position = await this.#position();
      this.#setState('running');
      const connected = (): void => this.#connected(signal);
      for await (const batch of this.#options.source.read(position, { signal, connected })) {
        if (signal.aborted) return;
        await this.#store(consumer, checkBatch(batch));
        this.#circuit.succeeded();
        this.#connected(signal);
      }
    } catch (error) {
      failure = toSinkError(error);
    }
    if (signal.aborted) return;
    if (failure.kind === 'fatal' || failure.kind === 'refused') throw failure;
    const attempt = this.#circuit.enter();
    const ms =
      typeof attempt === 'number' ? attempt : this.#circuit.failed(attempt, failure.retryAfterMs);
    this.#error = failure;
    this.#setState(stateAfter(failure));
    const over = deferred();
    const end = (): void => over.resolve();
    signal.addEventListener('abort', end);
    await within(systemClock, ms, Promise.race([over.promise, this.#wake.promise]));
    signal.removeEventListener('abort', end);
  }

  #connected(turn: AbortSignal): void {
    if (turn.aborted) return;
    this.#error = undefined;
    this.#setState('running');
  }

  async #store(consumer: Consumer<string>, { records, position }: SourceBatch): Promise<void> {
    const { topic } = this.#options;
    await this.#producer.transaction((tx) => {
      for (const record of records as SourceRecord<string, string>[]) {
        tx.send(topic as string, record);
      }
      // The position is what the group has committed of its turn, and so a member without it is fenced.
      tx.commitOffsets(consumer, [{ topic: TURNS, partition: 0, offset: 0, metadata: position }]);
    });
    this.#stored += records.length;
  }

  async #position(): Promise<string | undefined> {
    const groups = await this.#log.admin.listGroups();
    if (!groups.some(({ group }) => group === PREFIX + this.name)) return undefined;
    const offsets = await this.#log.admin.listGroupOffsets(PREFIX + this.name);
    const metadata = offsets.find(({ topic }) => topic === TURNS)?.metadata;
    return metadata === '' ? undefined : metadata; // nothing but the turn was committed
  }

  #fail(error: SinkError): void {
    if (this.#closing.signal.aborted) return;
    this.#error = error;
    this.#setState('failed');
  }

  #setState(state: SourceState): void {
    if (this.#state === state) return;
    this.#state = state;
    try {
      this.#options.onStatus?.(state, this.#error);
    } catch (error) {
      reportCallbackError('onStatus of a connector', error);
    }
  }
}

function checkBatch(batch: SourceBatch): SourceBatch {
  const { records, position } = batch ?? {};
  if (!Array.isArray(records)) {
    throw new SinkError('fatal', 'a source yields { records, position }, and yielded no records');
  }
  if (typeof position !== 'string' || position === '' || position.length > 4_096) {
    throw new SinkError(
      'fatal',
      `a position is a text of 1 to 4096 characters, got ${show(position)}`,
    );
  }
  return batch;
}

function checkSourceOptions(options: SourceOptions): Checked {
  const checked = checkEach<SourceOptions>('connectSource()', options, {
    name: (_, name) => checkName('group name', PREFIX + String(name)),
    source: (name, source) => checkMethods(name, source, ['read']),
    topic: () => {}, // the producer checks it
    backoffMs: (name, value) => checkMs(name, value, 1),
    maxBackoffMs: (name, value) => checkMs(name, value, 1),
    onStatus: (_, value) => checkFunction('onStatus must be a function', value),
  });
  for (const name of ['name', 'source', 'topic'] as const) {
    if (checked[name] === undefined) throw new TypeError(`connectSource() needs ${name}`);
  }
  return { backoffMs: 500, maxBackoffMs: 60_000, ...checked };
}
