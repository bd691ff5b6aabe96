import { Turns } from '../../base/queue.ts';
import type { ReceivedBatch, ReceivedSource } from '../http/receiver.ts';
import type {
  KafkaClient,
  KafkaOffsets,
  KafkaProducer,
  KafkaTransaction,
  TopicMessages,
} from './kafka-client.ts';
import { kafkaErrorType } from './kafka-client.ts';
import type { KafkaPositions } from './kafka-positions.ts';

export interface KafkaWriterOptions {
  readonly kafka: KafkaClient;
  readonly positions: KafkaPositions;
  readonly transactionalId: string;
  readonly source: ReceivedSource;
}

/** Waits of the broker, which ends the transaction before, take a few milliseconds. */
const RETRY = { initialRetryTime: 10, multiplier: 1.5, maxRetryTime: 1_000, retries: 15 };
/** An open transaction of who has died holds back who reads the topic, until it has timed out. */
const TRANSACTION_MS = 10_000;

/** Errors after another writer was opened, or once Kafka has forgotten the producer, after some days. */
const FENCED: ReadonlySet<string> = new Set([
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TRANSACTION_STATE',
]);

/**
 * Writes the records of one source. Its transactional id is that of no other source, so whoever opens
 * a writer fences the one before, in this process or another, and ends what that one has left open: the
 * position that is read then is the last.
 */
export class KafkaWriter {
  readonly #options: KafkaWriterOptions;
  readonly #turns = new Turns();
  #producer: Promise<KafkaProducer> | undefined;
  #position: number | undefined;

  constructor(options: KafkaWriterOptions) {
    this.#options = options;
  }

  /** The position after everything that was written. */
  position(): Promise<number | undefined> {
    return this.#turns.next(async () => {
      await this.#opened();
      return this.#position;
    });
  }

  /** Writes what the position has not yet, and the position, in one transaction. */
  write(
    batch: ReceivedBatch,
    messagesOf: (records: ReceivedBatch['records']) => Promise<TopicMessages[]>,
  ): Promise<void> {
    return this.#turns.next(async () => {
      try {
        await this.#write(batch, messagesOf);
      } catch (error) {
        await this.#drop();
        if (!FENCED.has(kafkaErrorType(error) ?? '')) throw error;
        // The position is read anew before anything is written.
        await this.#write(batch, messagesOf);
      }
    });
  }

  close(): Promise<void> {
    return this.#turns.next(() => this.#drop());
  }

  async #write(
    batch: ReceivedBatch,
    messagesOf: (records: ReceivedBatch['records']) => Promise<TopicMessages[]>,
  ): Promise<void> {
    const producer = await this.#opened();
    const { records, position } = batch.after(this.#position);
    if (position === this.#position) return;
    const { positions, source } = this.#options;
    const { messages, offsets } = positions.moveTo(source.id, position);
    await commit(producer, [...(await messagesOf(records)), ...messages], offsets);
    this.#position = position;
  }

  async #opened(): Promise<KafkaProducer> {
    this.#producer ??= this.#open();
    try {
      return await this.#producer;
    } catch (error) {
      this.#producer = undefined;
      throw error;
    }
  }

  async #open(): Promise<KafkaProducer> {
    const { kafka, positions, transactionalId, source } = this.#options;
    const producer = kafka.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: TRANSACTION_MS,
      allowAutoTopicCreation: false,
      retry: RETRY,
    });
    try {
      await positions.start();
      await producer.connect();
      this.#position = await positions.read(source.id, (messages) => commit(producer, messages));
    } catch (error) {
      await producer.disconnect().catch(() => {}); // the first failure is told
      throw error;
    }
    return producer;
  }

  async #drop(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    this.#position = undefined;
    // The failure before has told what is wrong.
    await producer?.then((opened) => opened.disconnect()).catch(() => {});
  }
}

async function commit(
  producer: KafkaProducer,
  topicMessages: readonly TopicMessages[],
  offsets?: KafkaOffsets,
): Promise<void> {
  const transaction = await producer.transaction();
  try {
    mustBeWritten(
      topicMessages,
      await transaction.sendBatch({ topicMessages: [...topicMessages] }),
    );
    if (offsets !== undefined) await transaction.sendOffsets(offsets);
  } catch (error) {
    await transaction.abort().catch(() => {}); // the next writer aborts it
    throw error;
  }
  await transaction.commit();
}

/**
 * Throws where a partition that messages are for was not written to: KafkaJS leaves messages out
 * of partitions that there are not, and says nothing.
 */
function mustBeWritten(
  topicMessages: readonly TopicMessages[],
  written: Awaited<ReturnType<KafkaTransaction['sendBatch']>>,
): void {
  for (const { topic, messages } of topicMessages) {
    const missing = messages.find(
      ({ partition }) =>
        !written.some((each) => each.topicName === topic && each.partition === partition),
    );
    if (missing !== undefined) throw new MissingPartition(topic, missing.partition!);
  }
}

/** Kafka's topic has fewer partitions than was known of it. */
export class MissingPartition extends Error {
  constructor(topic: string, partition: number) {
    super(`Kafka's topic '${topic}' has no partition ${partition}`);
  }
}
