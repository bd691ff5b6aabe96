import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { systemClock, withDeadline, within } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import { kafkaErrorType } from './kafka-client.ts';
import { TransactionLog, textOf } from './transaction-log.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type {
  KafkaAdmin,
  KafkaClient,
  KafkaConsumer,
  KafkaOffsets,
  StoredMessage,
  TopicMessages,
} from './kafka-client.ts';

/** The parts of a transaction that move a source's position. */
export interface PositionMove {
  readonly messages: readonly TopicMessages[];
  readonly offsets: KafkaOffsets;
}

export interface KafkaPositionsOptions {
  readonly kafka: KafkaClient;
  readonly connection: KafkaConnection;
  readonly topic: string;
}

/** The number of looks for a topic that was made, and the milliseconds between them. */
const KNOWN_TRIES = 100;
const KNOWN_MS = 100;

/** The key of the messages by which a reader knows that it has read what was there before. */
const MARK = 'mark';

/** The time for a reader to get to a mark, before another one begins, in milliseconds. */
const READ_MS = 10_000;

/** How often what is not decided is read again: what ends it is elsewhere than what was read. */
const READ_TRIES = 3;

interface KnownPosition {
  readonly position: number;
  /** The offset of the message that has it. */
  readonly offset: number;
}

/**
 * The positions of all sources. Each is written in the transaction of the records behind which it is, in two
 * places: as the offset of a group, which Kafka tells at once and forgets after a week without a commit
 * (`offsets.retention.minutes`), and as a message of a compacted topic, which stays and is read into
 * memory.
 */
export class KafkaPositions {
  readonly #options: KafkaPositionsOptions;
  #positions = new Map<string, KnownPosition>();
  readonly #marks = new Map<string, Deferred>();
  #reader: Promise<Reader> | undefined;

  constructor(options: KafkaPositionsOptions) {
    this.#options = options;
  }

  /** Makes the topic where it is missing, and begins to read it. */
  async start(): Promise<void> {
    const reader = (this.#reader ??= this.#read());
    try {
      await reader;
    } catch (error) {
      if (this.#reader === reader) this.#reader = undefined;
      throw error;
    }
  }

  /** The messages and offsets that move a source's position, for the transaction of its records. */
  moveTo(source: string, position: number): PositionMove {
    const { topic } = this.#options;
    const offset = { partition: 0, offset: String(position) };
    return {
      messages: [{ topic, messages: [{ key: source, value: String(position), partition: 0 }] }],
      offsets: { consumerGroupId: groupOf(source), topics: [{ topic, partitions: [offset] }] },
    };
  }

  /**
   * The position of a source, all of whose transactions up to now have ended; `undefined`: it has none.
   * `write` commits messages in a transaction of the source's producer.
   */
  async read(
    source: string,
    write: (messages: readonly TopicMessages[]) => Promise<void>,
  ): Promise<number | undefined> {
    const committed = await this.#committed(source);
    if (committed !== undefined) return committed;
    for (let tries = 1; ; tries++) {
      const { transactions, unread } = await this.#readUpToNow(write);
      // The ends of the source's own transactions are written by now. A message without one came after its
      // transaction was aborted (KIP-890).
      const isTold = !transactions.isOpen(source) || unread.size === 0;
      if (isTold) return this.#positions.get(source)?.position;
      const { topic } = this.#options;
      if (tries === READ_TRIES) throw new Error(`${topic} does not tell the position of ${source}`);
      (await this.#reader)?.readOpenAgain();
    }
  }

  async #committed(source: string): Promise<number | undefined> {
    const { connection, topic } = this.#options;
    const options = { groupId: groupOf(source), topics: [topic] };
    const found = await connection.use((admin) => admin.fetchOffsets(options));
    const offset = found[0]?.partitions.find(({ partition }) => partition === 0)?.offset;
    return offset === undefined || Number(offset) < 0 ? undefined : Number(offset);
  }

  /** Writes a mark, and waits until it was read, and with it everything that was written before. */
  async #readUpToNow(
    write: (messages: readonly TopicMessages[]) => Promise<void>,
  ): Promise<Reader> {
    await this.start();
    const reader = await this.#reader!;
    const { topic } = this.#options;
    const id = randomId();
    const mark = deferred();
    this.#marks.set(id, mark);
    try {
      await write([{ topic, messages: [{ key: MARK, value: id, partition: 0 }] }]);
      await withDeadline(systemClock, READ_MS, mark.promise, () => {
        void this.#endReading(); // after a broker's death some readers never go on
        return new Error(`${topic} was not read up to its end within ${READ_MS} ms`);
      });
      return reader;
    } finally {
      this.#marks.delete(id);
    }
  }

  close(): Promise<void> {
    return this.#endReading();
  }

  /** Ends the reading, which begins again where a position is asked for. */
  async #endReading(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    // A reader whose broker is away may fail to.
    await reader?.then(({ consumer }) => consumer.disconnect()).catch(() => {});
  }

  async #read(): Promise<Reader> {
    const { kafka, connection, topic } = this.#options;
    this.#positions = new Map();
    await connection.use(async (admin) => {
      if (!(await admin.listTopics()).includes(topic)) {
        const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
        const topics = [{ topic, numPartitions: 1, configEntries }];
        await admin.createTopics({ topics, waitForLeaders: false });
      }
      await untilKnown(admin, topic);
    });
    const consumer = kafka.consumer({
      groupId: `${topic}-${randomId()}`, // nobody shares the reading
      readUncommitted: true, // what is committed is told by the transactions' own ends
      allowAutoTopicCreation: false,
    });
    const transactions = new TransactionLog();
    const unread = new Set<number>();
    const readOpenAgain = (): void => {
      const { firstOpen } = transactions;
      if (firstOpen === undefined) return;
      transactions.rewind();
      consumer.seek({ topic, partition: 0, offset: String(firstOpen) });
    };
    consumer.on('consumer.crash', () => void this.#endReading()); // the next position begins anew
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      const { batchSize, firstOffset, lastOffset } = payload;
      if (batchSize > 0 || transactions.firstOpen === undefined) return;
      // Control records came alone, and nobody got them: with the messages before they come again.
      const isAgain = unread.has(Number(lastOffset)); // alone in their segment of Kafka's log
      for (let each = Number(firstOffset); each <= Number(lastOffset); each++) unread.add(each);
      if (!isAgain) readOpenAgain();
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { messagesWithinOffset: fetched } }) => {
        if (fetched === undefined) throw new Error('kafkaGateway() needs KafkaJS, of version 2');
        for (const message of transactions.take(fetched)) this.#apply(message);
        for (const { key, value, offset, isControlRecord } of fetched) {
          if (isControlRecord) unread.delete(Number(offset));
          else if (textOf(key) === MARK) this.#marks.get(textOf(value))?.resolve();
        }
      },
    });
    return { consumer, transactions, unread, readOpenAgain };
  }

  #apply({ key, value, offset: at }: StoredMessage): void {
    const [source, text, offset] = [textOf(key), textOf(value), Number(at)];
    const known = this.#positions.get(source);
    const isKnown = known !== undefined && known.offset >= offset; // it was read again
    if (isKnown || !/^\d{1,16}$/.test(text)) return;
    this.#positions.set(source, { position: Number(text), offset });
  }
}

/** A running reading of the topic. */
interface Reader {
  readonly consumer: KafkaConsumer;
  readonly transactions: TransactionLog;
  /** The offsets of control records that nobody got. */
  readonly unread: ReadonlySet<number>;
  /** Reads what is not decided once more. */
  readonly readOpenAgain: () => void;
}

/** Waits for a topic that was made: a broker may know nothing of it for a moment. */
async function untilKnown(admin: KafkaAdmin, topic: string): Promise<void> {
  for (let left = KNOWN_TRIES; ; left--) {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
      return;
    } catch (error) {
      const isYoung = kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
      if (!isYoung || left === 0) throw error;
      await within(systemClock, KNOWN_MS, new Promise(() => {}));
    }
  }
}

/** The group whose offset is the position of a source. It has no members. */
function groupOf(source: string): string {
  return `tablog-${source}`;
}
