import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { systemClock, withDeadline, within } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import { kafkaErrorType } from './kafka-client.ts';
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

/**
 * The least time for which Kafka keeps the offsets of a group, in milliseconds: by default 7 days
 * (`offsets.retention.minutes`).
 */
const OFFSETS_KEPT_MS = 3_600_000;

interface KnownPosition {
  readonly position: number;
  /** The time of the message, in milliseconds since 1970. */
  readonly writtenAt: number;
}

/**
 * The positions of all sources. Each is written in the transaction of the records behind which it is, in two
 * places: as the offset of a group, which Kafka tells exactly and forgets after some days, and as a message
 * of a compacted topic, which stays and is read into memory. Messages alone would not do: KafkaJS
 * delivers some of transactions that were aborted side by side
 * (https://github.com/tulios/kafkajs/blob/v2.2.4/src/consumer/filterAbortedMessages.js).
 */
export class KafkaPositions {
  readonly #options: KafkaPositionsOptions;
  #positions = new Map<string, KnownPosition>();
  readonly #marks = new Map<string, Deferred>();
  #reader: Promise<KafkaConsumer> | undefined;

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
    await this.start();
    await this.#readUpToNow(write);
    const known = this.#positions.get(source);
    // Had it been committed, the group's offset would still be there.
    const isAborted = known !== undefined && systemClock.now() - known.writtenAt < OFFSETS_KEPT_MS;
    if (!isAborted) return known?.position;
    const { topic } = this.#options;
    await write([{ topic, messages: [{ key: source, value: null, partition: 0 }] }]);
    return undefined;
  }

  async #committed(source: string): Promise<number | undefined> {
    const { connection, topic } = this.#options;
    const options = { groupId: groupOf(source), topics: [topic] };
    const found = await connection.use((admin) => admin.fetchOffsets(options));
    const offset = found[0]?.partitions.find(({ partition }) => partition === 0)?.offset;
    return offset === undefined || Number(offset) < 0 ? undefined : Number(offset);
  }

  /** Writes a mark, and waits until it was read, and with it everything that was written before. */
  async #readUpToNow(write: (messages: readonly TopicMessages[]) => Promise<void>): Promise<void> {
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
    await reader?.then((consumer) => consumer.disconnect()).catch(() => {});
  }

  async #read(): Promise<KafkaConsumer> {
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
      readUncommitted: false,
      allowAutoTopicCreation: false,
    });
    consumer.on('consumer.crash', () => void this.#endReading()); // the next position begins anew
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { messages } }) => {
        for (const message of messages) this.#apply(message);
      },
    });
    return consumer;
  }

  #apply({ key, value, timestamp }: StoredMessage): void {
    const [name, text] = [String(key), String(value)];
    if (name === MARK) this.#marks.get(text)?.resolve();
    else if (value === null) this.#positions.delete(name);
    else if (/^\d{1,16}$/.test(text)) {
      this.#positions.set(name, { position: Number(text), writtenAt: Number(timestamp) });
    }
  }
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
