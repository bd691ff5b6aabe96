import { checkEach, checkFunction, checkMs, mistake } from '../../base/argument.ts';
import type { Log } from '../../client/log.ts';
import type { TopicLike } from '../../client/topics/topic.ts';
import type { ConnectOptions } from '../connect-options.ts';
import { connect } from '../connector.ts';
import type { Connector } from '../connector.ts';
import type { Sink, SinkBatch, SinkContext, SinkSource } from '../sink/sink.ts';
import { encodeRecords, sizeOf } from './encode-records.ts';
import { MirrorClient } from './mirror-client.ts';
import { checkPort } from './mirror-port.ts';
import type { MirrorPort } from './mirror-port.ts';
import type { MirroredPartition } from './mirror-protocol.ts';

export interface ConnectMirrorOptions extends Pick<
  ConnectOptions,
  'name' | 'lingerMs' | 'backoffMs' | 'maxBackoffMs' | 'onStatus'
> {
  /** The topics whose records the mirror gets, whatever their serdes. */
  readonly topics: readonly TopicLike[];
  /**
   * The port to `serveMirror()`, or a function that opens one: it is called again after the last one has
   * ended, as `() => new WebSocket(url)`. A port that is given is yours to close.
   */
  readonly port: MirrorPort | (() => MirrorPort | Promise<MirrorPort>);
  /** The time for an answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
}

/** The most bytes of records in one message, unless a single record has more. */
const MAX_BYTES = 1_000_000;

/**
 * Keeps a mirror of topics in another log: each record at its own offset, with its timestamp, key,
 * value and headers (Kafka's MirrorMaker, and the mirror topics of Confluent's Cluster Linking). Any
 * number of tabs may do so under the same name. The end of the mirror says where to go on, so that
 * nothing is missing or double there, whoever dies.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option, and `CLOSED` once the log is closed.
 */
export function connectMirror(log: Log, options: ConnectMirrorOptions): Connector {
  if (typeof log?.consumer !== 'function') throw mistake('connectMirror() takes an open log', log);
  const { port, timeoutMs = 30_000, topics, ...others } = checkConnectMirror(options);
  return connect(log, {
    ...others,
    topics: topics.map((topic) => (typeof topic === 'string' ? topic : topic.name)),
    sink: new MirrorSink(log, new MirrorClient({ port, timeoutMs })),
  });
}

class MirrorSink implements Sink<Uint8Array, Uint8Array> {
  readonly #log: Log;
  readonly #client: MirrorClient;
  /** The ends of mirrors as they were last heard of, by source. */
  readonly #ends = new Map<string, number>();

  constructor(log: Log, client: MirrorClient) {
    this.#log = log;
    this.#client = client;
  }

  async position(source: SinkSource, { signal }: SinkContext): Promise<number> {
    this.#ends.delete(source.id);
    const request = { call: 'position', end: 0, ...(await this.#about(source)) } as const;
    const end = await this.#client.call(request, signal);
    this.#ends.set(source.id, end);
    return end;
  }

  async put(batch: SinkBatch<Uint8Array, Uint8Array>, context: SinkContext): Promise<number> {
    const { source, records, to } = batch;
    let bytes = 0;
    const full = records.findIndex((record, i) => (bytes += sizeOf(record)) > MAX_BYTES && i > 0);
    const some = full < 0 ? records : records.slice(0, full);
    // The mirror has no records for offsets that have none here, and gets them with the next one.
    if (some.length === 0) return to;
    const end = this.#ends.get(source.id) ?? (await this.position(source, context));
    this.#ends.delete(source.id);
    const request = { call: 'append', end, ...(await this.#about(source)) } as const;
    const next = await this.#client.call(request, context.signal, encodeRecords(some));
    this.#ends.set(source.id, next);
    return records[full]?.offset ?? to;
  }

  close(): void {
    this.#client.close();
  }

  async #about(source: SinkSource): Promise<{ source: MirroredPartition; sourceEnd: number }> {
    const { id, log, topic, partition } = source;
    const { admin } = this.#log;
    const [[described], [end]] = await Promise.all([
      admin.describeTopics([topic]),
      admin.listOffsets([{ topic, partition, at: 'latest' }]),
    ]);
    const [, topicId] = id.split('/');
    const partitions = described.partitions.length;
    return {
      source: { topicId: topicId!, log, topic, partition, partitions },
      sourceEnd: end!.offset,
    };
  }
}

function checkConnectMirror(options: ConnectMirrorOptions): ConnectMirrorOptions {
  const checked = checkEach<ConnectMirrorOptions>('connectMirror()', options, {
    name: () => {}, // connect() checks it and the others
    topics: () => {},
    lingerMs: () => {},
    backoffMs: () => {},
    maxBackoffMs: () => {},
    onStatus: (_, value) => checkFunction('onStatus must be a function', value),
    timeoutMs: (name, value) => checkMs(name, value, 1),
    port: (name, value) => {
      if (typeof value !== 'function') checkPort(name, value);
    },
  });
  for (const name of ['name', 'topics', 'port'] as const) {
    if (checked[name] === undefined) throw new TypeError(`connectMirror() needs ${name}`);
  }
  return checked;
}
