import { Closable } from '../../base/handle.ts';
import { systemClock } from '../../platform/clock.ts';
import { receiver } from '../http/receiver.ts';
import type { ReceivedBatch, ReceivedRecord, ReceivedSource } from '../http/receiver.ts';
import { kafkaErrorType } from './kafka-client.ts';
import type { KafkaMessage, TopicMessages } from './kafka-client.ts';
import { KafkaConnection } from './kafka-connection.ts';
import { CLOSE_FAILED, closeFor, mayConnect, sendToMirror } from './kafka-mirror.ts';
import type { MirrorSocket } from './kafka-mirror.ts';
import { CLOSE_FATAL } from '../mirror/mirror-port.ts';
import { messageOf } from './kafka-message.ts';
import { KafkaPositions } from './kafka-positions.ts';
import { KafkaWriter, MissingPartition } from './kafka-writer.ts';
import { RateLimit } from './rate-limit.ts';
import { matches } from '../topic-patterns.ts';
import { checkKafkaGateway } from './gateway-options.ts';
import type { CheckedGatewayOptions, GatewayUser, KafkaGatewayOptions } from './gateway-options.ts';

const PREFIX = 'tablog-';
/** https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
const CLOSE_GOING = 1001;
const CLOSE_UNAUTHORIZED = 4401;
const CLOSE_BUSY = 4429;

/**
 * Makes a server's half of `httpSink({ receiver: true })` that writes to Kafka: records and their source's
 * position in one transaction, fenced by source. Each record is in its topic once, in the order of its
 * partition, for consumers that read committed ones, after any time, whoever died.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option.
 */
export function kafkaGateway(options: KafkaGatewayOptions): KafkaGateway {
  return new KafkaGateway(checkKafkaGateway(options));
}

/** A running gateway, made by `kafkaGateway()`. Close it when done. */
export class KafkaGateway extends Closable {
  /** Answers a request, as `receiver()` does: for Deno, Bun and, by `nodeHandler()`, for Node. */
  readonly handle: (request: Request) => Promise<Response>;
  readonly #options: CheckedGatewayOptions;
  readonly #positions: KafkaPositions;
  readonly #limit: RateLimit;
  /** The writers of sources, the one that was used last at the end. */
  readonly #writers = new Map<string, KafkaWriter>();
  /** The users of requests that are being answered. */
  readonly #users = new WeakMap<Request, GatewayUser>();
  readonly #partitions = new Map<string, Promise<number>>();
  readonly #connection: KafkaConnection;
  readonly #sockets = new Set<MirrorSocket>();
  readonly #mirroring = new Set<Promise<void>>();
  /** The writers that make room for others, and end what they write. */
  readonly #leaving = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(options: CheckedGatewayOptions) {
    super();
    this.#options = options;
    const { kafka, positionsTopic: topic, origins, maxBytes, maxRequestsPerSecond } = options;
    const connection = (this.#connection = new KafkaConnection(kafka));
    this.#positions = new KafkaPositions({ kafka, connection, topic });
    this.#limit = new RateLimit(systemClock, maxRequestsPerSecond);
    this.handle = receiver({
      position: async (source) => this.#writerOf(source).position(),
      store: (batch) => this.#store(batch),
      authorize: (request, source) => this.#authorize(request, source),
      origins,
      maxBytes,
    });
  }

  /** Resolves when Kafka was reached, and the positions are read. Rejects where it cannot be. */
  async ready(): Promise<void> {
    await this.#positions.start();
  }

  /** The topics of `topics` and `mirrors` by name that Kafka has not: what is for them waits. */
  async missingTopics(): Promise<readonly string[]> {
    const { topics, mirrors } = this.#options;
    const names = [...topics, ...mirrors].filter((each) => typeof each === 'string');
    const found = new Set(await this.#connection.use((admin) => admin.listTopics()));
    return [...new Set(names)].filter((name) => !found.has(name));
  }

  /**
   * Sends a topic of Kafka, that of the request's `?topic=`, to `followMirror()` in a browser, at its offsets,
   * for as long as the socket is open. The socket of a page from elsewhere, of nobody, or for a topic
   * that is not among `mirrors`, is closed, with the reason.
   */
  async mirror(socket: MirrorSocket, request: Request): Promise<void> {
    const mirroring = this.#mirror(socket, request).catch((error: unknown) => {
      closeFor(socket, CLOSE_FAILED, (error as Error).message);
    });
    this.#mirroring.add(mirroring);
    this.#sockets.add(socket);
    await mirroring;
    this.#mirroring.delete(mirroring);
    this.#sockets.delete(socket);
  }

  async #mirror(socket: MirrorSocket, request: Request): Promise<void> {
    const { authorize, mirrors, origins, kafka, maxMirrors } = this.#options;
    const topic = new URL(request.url).searchParams.get('topic') ?? '';
    if (this.#closed !== undefined) return closeFor(socket, CLOSE_GOING, 'the gateway is closed');
    const source = { id: '', log: 'kafka', topic, partition: 0 };
    const user = authorize === 'everybody' ? { user: '' } : await authorize(request, source);
    if (user === null) return closeFor(socket, CLOSE_UNAUTHORIZED, 'nobody is signed in');
    if (!mayConnect(request, origins)) {
      const origin = request.headers.get('origin')!;
      return closeFor(socket, CLOSE_FATAL, `pages of ${origin} are not among the origins`);
    }
    const isOpen = matches(mirrors, topic) && matches(user.mirrors ?? mirrors, topic);
    if (!isOpen) return closeFor(socket, CLOSE_FATAL, `'${topic}' is no topic to mirror (mirrors)`);
    const isBusy = !this.#limit.admits(user.user) || this.#sockets.size > maxMirrors;
    if (isBusy) return closeFor(socket, CLOSE_BUSY, 'too many requests, or mirrors');
    await sendToMirror(kafka, this.#connection, topic, socket);
  }

  /** Ends what is being written, and leaves Kafka. Idempotent. */
  override close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const socket of this.#sockets) closeFor(socket, CLOSE_GOING, 'the gateway closes');
    await Promise.all(this.#mirroring);
    const writers = [...this.#writers.values()].map((writer) => writer.close());
    await Promise.all([...writers, ...this.#leaving]);
    await this.#positions.close();
    await this.#connection.close();
  }

  async #authorize(request: Request, source: ReceivedSource): Promise<Response | undefined> {
    if (this.#closed !== undefined) return refusal(503, 'the gateway is closed');
    const { authorize } = this.#options;
    const user = authorize === 'everybody' ? { user: '' } : await authorize(request, source);
    if (user === null) return refusal(401, 'nobody is signed in: no authorization, or a wrong one');
    this.#users.set(request, user);
    if (this.#limit.admits(user.user)) return undefined;
    return refusal(429, 'too many requests', { 'retry-after': '1' });
  }

  async #store(batch: ReceivedBatch): Promise<Response | undefined> {
    const user = this.#users.get(batch.request);
    for (const { topic } of batch.records) {
      if (!this.#takes(topic)) {
        const next = 'list it in `topics` of kafkaGateway(), or as --topic';
        return refusal(
          400,
          `the topic '${topic}' is none of those that the gateway takes: ${next}`,
        );
      }
      if (user?.topics !== undefined && !matches(user.topics, topic)) {
        return refusal(403, `the topic '${topic}' is not this user's to write to`);
      }
    }
    try {
      const writer = this.#writerOf(batch.source);
      await writer.write(batch, (records) => this.#messages(records, batch.source));
      return undefined;
    } catch (error) {
      if (error instanceof MissingPartition) {
        this.#partitions.clear();
        return refusal(404, `${error.message}: it was made anew, or toMessage() is wrong`);
      }
      const type = kafkaErrorType(error);
      if (REFUSED.has(type ?? '')) return refusal(422, `Kafka answers ${type}`);
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
        const names = [...new Set(batch.records.map(({ topic }) => topic))].join(', ');
        return refusal(404, `Kafka has no topic ${names}: create it there`);
      }
      throw error;
    }
  }

  /** Whether users may write to a topic: never to those of Kafka's own, or to the positions. */
  #takes(topic: string): boolean {
    const { topics, positionsTopic } = this.#options;
    return matches(topics, topic) && topic !== positionsTopic && !topic.startsWith('__');
  }

  #writerOf(source: ReceivedSource): KafkaWriter {
    const { kafka, maxProducers } = this.#options;
    const writer =
      this.#writers.get(source.id) ??
      new KafkaWriter({
        kafka,
        positions: this.#positions,
        transactionalId: PREFIX + source.id,
        source,
      });
    this.#writers.delete(source.id);
    this.#writers.set(source.id, writer);
    const [oldest] = this.#writers;
    if (this.#writers.size > maxProducers && oldest !== undefined) {
      this.#writers.delete(oldest[0]);
      const leaving = oldest[1].close();
      this.#leaving.add(leaving);
      void leaving.finally(() => this.#leaving.delete(leaving));
    }
    return writer;
  }

  async #messages(
    records: readonly ReceivedRecord[],
    source: ReceivedSource,
  ): Promise<TopicMessages[]> {
    const { toMessage } = this.#options;
    const byTopic = new Map<string, KafkaMessage[]>();
    for (const record of records) {
      const { topic } = record;
      const partition = source.partition % (await this.#partitionsOf(topic));
      const message = { ...messageOf(record), partition, ...toMessage?.(record, source) };
      const messages = byTopic.get(topic) ?? [];
      byTopic.set(topic, messages);
      messages.push(message);
    }
    return [...byTopic].map(([topic, messages]) => ({ topic, messages }));
  }

  /** The number of a topic's partitions when it was first written to: more of them change no order. */
  #partitionsOf(topic: string): Promise<number> {
    const known = this.#partitions.get(topic);
    if (known !== undefined) return known;
    const asked = this.#connection.use(async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.length;
    });
    this.#partitions.set(topic, asked);
    asked.catch(() => this.#partitions.delete(topic));
    return asked;
  }
}

/** Refusals for good: the sink looks for the record. */
const REFUSED: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
]);

function refusal(status: number, error: string, headers: HeadersInit = {}): Response {
  return Response.json({ error }, { status, headers });
}
