import type { ConsumerMessages, JsMsg, StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { checkEach, checkFunction, checkOneOf, mistake } from '../../base/argument.ts';
import { SinkError, toSinkError } from '../sink/sink-error.ts';
import type { Source, SourceBatch, SourceContext, SourceRecord } from '../source.ts';
import {
  JetStreamApiError,
  checkConnection,
  checkStream,
  jetstream,
  jetstreamManager,
  natsFailureOf,
} from './jetstream.ts';

export interface NatsSourceOptions {
  /** The connection, as of `natsSink()`. It is yours to close. */
  readonly connection: NatsConnection;
  /** The name of the stream, which must exist. */
  readonly stream: string;
  /** The subject to read, with wildcards. Default: all of the stream. */
  readonly subject?: string;
  /** The record of a message; null: the message is left out. Default: its data, parsed as JSON, as the value. */
  readonly toRecord?: (message: JsMsg) => SourceRecord | null;
  /**
   * What to do where the stream no longer has the messages behind the position, because its limits have
   * removed them: 'stop' (default), as records are missing in the topic for good, or 'skip'. With a `subject`
   * this is noticed when the reading begins, and then also where only messages of other subjects are gone.
   */
  readonly onGap?: 'stop' | 'skip';
}

/** The most records of one batch, which is one transaction. */
const MAX_RECORDS = 500;
/** An idle server gives a sign of life after half of it, by which a stream that is gone is noticed. */
const EXPIRES_MS = 5_000;

/**
 * A source of the messages of a JetStream stream, in order, each once. The position is the sequence of the
 * last message, and when the stream was created: a stream that was deleted and created again, or that has lost
 * its end, is 'fatal', and so is a gap that the stream's limits have made, unless it is skipped.
 *
 * Throws a `TypeError` for a bad option.
 */
export function natsSource(options: NatsSourceOptions): Source {
  const checked = checkEach<NatsSourceOptions>('natsSource()', options, {
    connection: checkConnection,
    stream: checkStream,
    subject: (name, value) => {
      if (typeof value === 'string' && value !== '' && !/\s/.test(value)) return;
      throw mistake(`${name} must be a subject`, value);
    },
    toRecord: (_, value) => checkFunction('toRecord must be a function', value),
    onGap: (name, value) => checkOneOf(name, value, ['stop', 'skip']),
  });
  for (const name of ['connection', 'stream'] as const) {
    if (checked[name] === undefined) throw new TypeError(`natsSource() needs ${name}`);
  }
  return new NatsSource({ toRecord: parsed, onGap: 'stop', ...checked });
}

type Checked = NatsSourceOptions & Required<Pick<NatsSourceOptions, 'toRecord' | 'onGap'>>;

class NatsSource implements Source {
  readonly #options: Checked;

  constructor(options: Checked) {
    this.#options = options;
  }

  async *read(
    position: string | undefined,
    { signal, connected }: SourceContext,
  ): AsyncGenerator<SourceBatch> {
    const reading = new Reading(this.#options, position);
    let messages: ConsumerMessages | undefined;
    const close = (): void => void messages?.close();
    signal.addEventListener('abort', close);
    try {
      messages = await reading.begin();
      if (signal.aborted) return;
      connected();
      yield* reading.batches(messages);
    } catch (error) {
      throw error instanceof SinkError ? error : natsFailureOf(error);
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }
}

/** One reading of the stream, from a position on. */
class Reading {
  readonly #options: Checked;
  /** The time of the stream's creation; `undefined`: nothing was read of it. */
  #created: string | undefined;
  /** The sequence of the last message. */
  #sequence: number;
  /** The consumer that the stream was checked for: the library makes another one after every failure. */
  #checkedConsumer: string | undefined;
  #failure: SinkError | undefined;

  constructor(options: Checked, position: string | undefined) {
    this.#options = options;
    const [sequence = '0', created] = (position ?? '0').split('@');
    this.#sequence = Number(sequence);
    this.#created = created;
    const isOwn = (created !== undefined) === (position !== undefined);
    if (Number.isSafeInteger(this.#sequence) && isOwn) return;
    throw new SinkError('fatal', `the position '${position}' is none of a natsSource()`);
  }

  async begin(): Promise<ConsumerMessages> {
    const { connection, stream, subject } = this.#options;
    const { created, state } = await this.#check();
    // Messages before the first reading were not lost here.
    if (this.#created === undefined) this.#sequence = Math.max(state.first_seq - 1, 0);
    this.#created = created;
    const consumer = await jetstream(connection).consumers.get(stream, {
      opt_start_seq: this.#sequence + 1,
      ...(subject !== undefined && { filter_subjects: subject }),
    });
    return consumer.consume({ expires: EXPIRES_MS, max_messages: MAX_RECORDS });
  }

  /** Yields what has come together as one batch. */
  async *batches(messages: ConsumerMessages): AsyncGenerator<SourceBatch> {
    void this.#watch(messages);
    let records: SourceRecord[] = [];
    for await (const message of messages) {
      await this.#admit(message);
      const record = this.#recordOf(message);
      if (record !== null) records.push(record);
      if (messages.getPending() > 0 && records.length < MAX_RECORDS) continue;
      yield { records, position: `${this.#sequence}@${this.#created}` };
      records = [];
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Throws where the message is not of the stream, or not the next one. */
  async #admit({ info }: JsMsg): Promise<void> {
    // Between messages of a subject those of others lie.
    const isJump =
      this.#options.subject === undefined && info.streamSequence !== this.#sequence + 1;
    if (info.consumer !== this.#checkedConsumer || isJump) {
      await this.#check();
      this.#checkedConsumer = info.consumer;
    }
    this.#sequence = info.streamSequence;
  }

  #recordOf(message: JsMsg): SourceRecord | null {
    try {
      return this.#options.toRecord(message);
    } catch (cause) {
      const what = `toRecord() failed for the message ${message.seq} of ${message.subject}`;
      throw new SinkError('fatal', `${what}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Ends the reading where the stream is no longer the one that was read: no message would tell. */
  async #watch(messages: ConsumerMessages): Promise<void> {
    try {
      for await (const { type } of messages.status()) {
        const isOfFailure =
          type === 'ordered_consumer_recreated' ||
          type === 'stream_not_found' ||
          type === 'heartbeats_missed';
        if (isOfFailure && !this.#options.connection.isClosed()) await this.#check();
      }
    } catch (error) {
      this.#failure = toSinkError(error);
      await messages.close();
    }
  }

  /** Throws where the stream is another one than before, or has not what follows. */
  async #check(): Promise<StreamInfo> {
    const { connection, stream, onGap } = this.#options;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const info = await manager.streams.info(stream).catch((error: unknown) => {
      if (error instanceof JetStreamApiError && error.status === 404) {
        const next = 'create it, and connect the source again';
        throw new SinkError('fatal', `there is no stream '${stream}': ${next}`, { cause: error });
      }
      throw natsFailureOf(error);
    });
    const { created, state } = info;
    const anew = 'connect the source under another name, which reads from the beginning';
    if (this.#created !== undefined && this.#created !== created) {
      const what = `the stream '${stream}' was deleted, and created again at ${created}`;
      throw new SinkError('fatal', `${what}: ${anew}`);
    }
    if (this.#sequence > state.last_seq) {
      const what = `the stream '${stream}' ends at ${state.last_seq}, and was read up to ${this.#sequence}`;
      throw new SinkError('fatal', `${what}: it has lost its end. To read it all, ${anew}`);
    }
    const lost = this.#created === undefined ? 0 : state.first_seq - this.#sequence - 1;
    if (lost > 0 && onGap === 'stop') {
      const what = `the limits of the stream '${stream}' have removed ${lost} messages behind ${this.#sequence}`;
      throw new SinkError('fatal', `${what}: pass onGap: 'skip' to go on without them`);
    }
    return info;
  }
}

function parsed(message: JsMsg): SourceRecord {
  return { value: message.json(), timestamp: message.time.getTime() };
}
