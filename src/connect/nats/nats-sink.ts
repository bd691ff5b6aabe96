import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/nats-core';
import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { checkEach, checkFunction, checkOneOf } from '../../base/argument.ts';
import { toJson } from '../http/http-body.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { Sink, SinkBatch, SinkRecord, SinkSource } from '../sink/sink.ts';
import {
  JetStreamApiError,
  checkConnection,
  checkStream,
  jetstream,
  jetstreamManager,
  natsFailureOf,
} from './jetstream.ts';

export interface NatsSinkOptions {
  /**
   * The connection, as `wsconnect({ servers })` of '@nats-io/nats-core' makes it. It reconnects by itself,
   * and is yours to close.
   */
  readonly connection: NatsConnection;
  /** The name of the stream, which must exist, and have the subjects. */
  readonly stream: string;
  /**
   * The subject of a partition, to which nobody else may publish. Default: `tablog.` and the connector's
   * name, the topic's id and the partition: let the stream have `tablog.>`.
   */
  readonly subject?: (source: SinkSource) => string;
  /**
   * 'batch' (default): a message is the JSON array of a batch's records. 'record': a message for each
   * record, of its value as JSON, with key and headers as headers; each waits for the one before.
   */
  readonly message?: 'batch' | 'record';
}

/** The headers of a message. */
const HEADERS = {
  source: 'Tablog-Source',
  to: 'Tablog-To',
  offset: 'Tablog-Offset',
  key: 'Tablog-Key',
};
/** The subject's last message is another one than was expected. */
const WRONG_LAST_SEQUENCE = 10_071;
const NO_MESSAGE = 10_037;

/**
 * A sink to NATS JetStream, in which each record is once, in order, after any time. The position is in
 * the last message of a partition's subject, and each message is published on condition that this is
 * still the last one (`Nats-Expected-Last-Subject-Sequence`). No message has a `Nats-Msg-Id`: no window of
 * duplicates is relied on, and a tab that was taken for dead publishes nothing.
 *
 * The stream has to keep the last message of each subject: limits on age or size can remove it, and
 * the connector then goes on where its group has committed.
 *
 * Throws a `TypeError` for a bad option.
 */
export function natsSink(options: NatsSinkOptions): Sink {
  const { connection, stream, subject = subjectOf, message = 'batch' } = checkNatsSink(options);
  return new NatsSink({ connection, stream, subject, message });
}

class NatsSink implements Sink {
  readonly #options: Required<NatsSinkOptions>;
  readonly #client: JetStreamClient;
  #manager: Promise<JetStreamManager> | undefined;
  /** The sequences of the last messages, by source. */
  readonly #lastSequences = new Map<string, number>();

  constructor(options: Required<NatsSinkOptions>) {
    this.#options = options;
    this.#client = jetstream(options.connection);
  }

  async position(source: SinkSource): Promise<number | undefined> {
    const { stream, subject } = this.#options;
    this.#manager ??= jetstreamManager(this.#options.connection, { checkAPI: false });
    try {
      const manager = await this.#manager;
      const last = await manager.streams.getMessage(stream, { last_by_subj: subject(source) });
      this.#lastSequences.set(source.id, last?.seq ?? 0);
      if (last === null) return undefined;
      const position = Number(last.header.get(HEADERS.to));
      if (last.header.get(HEADERS.source) === source.id) return position;
      throw new SinkError(
        'fatal',
        `the subject '${subject(source)}' has messages of another source than '${source.id}'`,
      );
    } catch (error) {
      if (error instanceof SinkError) throw error;
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) {
        this.#lastSequences.set(source.id, 0);
        return undefined;
      }
      this.#manager = undefined;
      throw failureOf(error);
    }
  }

  async put(batch: SinkBatch): Promise<number> {
    const { records, to } = batch;
    if (this.#options.message === 'batch' || records.length < 2) {
      await this.#publish(batch, records, to);
      return to;
    }
    const [record, next] = [records[0]!, records.find(({ offset }) => offset > records[0]!.offset)];
    const same = records.filter(({ offset }) => offset === record.offset);
    if (same.length > 1) {
      throw new SinkError(
        'fatal',
        "a transform makes several records of one: use message: 'batch'",
      );
    }
    await this.#publish(batch, same, next?.offset ?? to);
    return next?.offset ?? to;
  }

  async #publish({ source }: SinkBatch, records: readonly SinkRecord[], to: number): Promise<void> {
    const { connection, message, subject } = this.#options;
    const headers = newHeaders();
    headers.set(HEADERS.source, source.id);
    headers.set(HEADERS.to, String(to));
    const json = records.map(toJson);
    const isBatch = message === 'batch';
    if (!isBatch && json.length === 1) addFields(headers, json[0]!);
    const text = JSON.stringify(isBatch ? json : (json[0]?.value ?? null));
    const payload = new TextEncoder().encode(text);
    const limit = connection.info?.max_payload ?? Infinity;
    if (payload.byteLength > limit) {
      throw new SinkError('refused', `${payload.byteLength} bytes, and the server takes ${limit}`);
    }
    try {
      const ack = await this.#client.publish(subject(source), payload, {
        headers,
        expect: { lastSubjectSequence: this.#lastSequences.get(source.id) ?? 0 },
      });
      this.#lastSequences.set(source.id, ack.seq);
    } catch (error) {
      throw failureOf(error);
    }
  }
}

function addFields(headers: MsgHdrs, record: ReturnType<typeof toJson>): void {
  headers.set(HEADERS.offset, String(record.offset));
  if (record.key !== null) headers.set(HEADERS.key, textOf(record.key));
  for (const [name, value] of record.headers) headers.append(name, textOf(value));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function subjectOf({ connector, id, partition }: SinkSource): string {
  const [, topicId] = id.split('/');
  return `tablog.${connector.replaceAll('.', '_')}.${topicId}.${partition}`;
}

function failureOf(error: unknown): SinkError {
  if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE) {
    return new SinkError('fenced', 'another tab has published to the subject', { cause: error });
  }
  return natsFailureOf(error);
}

function checkNatsSink(options: NatsSinkOptions): NatsSinkOptions {
  const checked = checkEach<NatsSinkOptions>('natsSink()', options, {
    connection: checkConnection,
    stream: checkStream,
    subject: (_, value) => checkFunction('subject must be a function', value),
    message: (name, value) => checkOneOf(name, value, ['batch', 'record']),
  });
  for (const name of ['connection', 'stream'] as const) {
    if (checked[name] === undefined) throw new TypeError(`natsSink() needs ${name}`);
  }
  return checked;
}
