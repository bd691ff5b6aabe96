import { TablogError } from '../../src/base/error.ts';
import { PartitionReader } from '../../src/client/fetch/partition-reader.ts';
import { Undecodable } from '../../src/client/message/decode-record.ts';
import { json, openLog, string, topic } from '../../src/index.ts';
import type { Log, Message } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { newHead } from '../../src/log/head.ts';
import { readPartition } from '../../src/log/segment-reader.ts';
import type { Broker } from '../../src/protocol/broker.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import type { BatchMetadata } from '../../src/protocol/produce.ts';
import type { TopicInfo } from '../../src/protocol/topic.ts';
import { FIELD, readInt64, viewOf } from '../../src/record/batch-format.ts';
import type { Compression } from '../../src/record/batch-format.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { inflate } from '../../src/record/compression/codecs.ts';
import type { Random } from '../checker/random.ts';
import type { Bytes } from '../support/batches.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { settle } from '../support/waiting.ts';

/** The topics that batches are produced to: every rule that a batch can break. */
const TOPICS = [
  topic('plain', { value: json() }),
  topic('compacted', { key: string(), cleanup: 'compact', retention: { ms: null } }),
  topic('stamped', { timestampType: 'append' }),
  topic('small', { maxRecordBytes: 1_000 }),
  topic('memory', { storage: 'memory' }),
] as const;

/** A partition takes one import. */
const FILE_PARTITIONS = 64;
const FILES = topic('files', { partitions: FILE_PARTITIONS });

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4'];

/** The limit of reading back, which only a hanging consumer reaches. */
const READ_BACK_MS = 60_000;

/** The broker cleans this long after an append, in a number of turns that covers every topic. */
const CLEANED_AFTER_MS = 10_000;
const CLEANING_TURNS = 50;

/** The ways by which bytes from elsewhere come in, each over a log in memory. */
export class Doors {
  readonly #log: Log;
  readonly #broker: Broker;
  readonly #clock: ManualClock;
  #topics: readonly TopicInfo[] = [];
  #files: TopicInfo | undefined;
  #filePartition = 0;
  #stored = 0;
  /** The end offset of each topic, by its id. */
  readonly #ends = new Map<string, number>();

  constructor(log: Log, broker: Broker, clock: ManualClock) {
    this.#log = log;
    this.#broker = broker;
    this.#clock = clock;
  }

  static async open(): Promise<Doors> {
    // Cleaning runs between the rounds, and never while a round is counted.
    const clock = new ManualClock();
    const host = inline({ storage: 'memory', platform: { clock } });
    let broker: Broker | undefined;
    const log = await openLog('fuzz', {
      host: {
        ...host,
        open: (name) => {
          const opened = host.open(name);
          broker = opened.broker;
          return opened;
        },
      },
    });
    return new Doors(log, broker!, clock);
  }

  /** Begins with new topics. */
  async begin(): Promise<void> {
    await this.#log.admin.createTopics([...TOPICS, FILES]);
    const infos = await this.#broker.listTopics(null);
    this.#topics = infos.filter(({ name }) => name !== FILES.name);
    this.#files = infos.find(({ name }) => name === FILES.name);
    this.#filePartition = 0;
    this.#stored = 0;
    this.#ends.clear();
  }

  /** Reads bytes as a broker and a consumer read a stored segment. Returns the messages. */
  decode(bytes: Bytes): number {
    const baseOffset = bytes.length < FIELD.batchLength ? 0 : readInt64(viewOf(bytes), 0);
    const offset = Number.isSafeInteger(baseOffset) && baseOffset >= 0 ? baseOffset : 0;
    const where = { topicId: 'fuzz', partition: 0, offset };
    const head = { ...newHead('fuzz', 0, offset), endOffset: Number.MAX_SAFE_INTEGER };
    const segments = [{ baseOffset: offset, bytes: bytes.slice().buffer }];
    const read = readPartition(
      { head, segments, nextBaseOffset: undefined },
      { ...where, store: 'partition-0', maxBytes: Infinity },
    );
    const reader = new PartitionReader({ ...where, topic: TOPICS[0] });
    reader.accept({ ...where, ...read, endOffset: head.endOffset, compressed: true }, inflate);
    let messages = 0;
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      use(next instanceof Undecodable ? next.message : next);
      messages++;
    }
    return messages;
  }

  /** Throws the error that refuses the file. */
  async importFile(bytes: Bytes, random: Random): Promise<void> {
    const cut = random.chance(0.2) ? random.int(0, bytes.length) : 0;
    const { records } = await this.#broker.importPartition({
      topicId: this.#files!.id,
      partition: this.#filePartition,
      file: bytes.slice().buffer,
      ...(cut > 0 && { sizes: [cut, bytes.length - cut] }),
    });
    this.#stored += records;
    this.#filePartition++;
  }

  /** Whether the partitions for imports are used up. */
  get isFull(): boolean {
    return this.#filePartition === FILE_PARTITIONS;
  }

  /** Throws the error that refuses the batch. */
  async produce(bytes: Bytes, random: Random): Promise<void> {
    const isRaw = random.chance(0.4);
    const producer = random.chance(0.3) ? { id: 5, epoch: 0, sequence: random.int(0, 9) } : null;
    const topicId = random.pick(this.#topics).id;
    const append = {
      topicId,
      partition: 0,
      batch: bytes.slice().buffer,
      compression: random.pick(COMPRESSIONS),
      expectedOffset: random.chance(0.1) ? random.int(0, 3) : null,
      isDeadLetter: random.chance(0.1),
      ...(isRaw && { raw: { producer } }),
    };
    const [result] = await this.#broker.produce({ appends: [append], durability: 'relaxed' });
    if ('error' in result!) throw fromErrorData(result.error);
    const { baseOffset } = result as BatchMetadata;
    const { recordCount, baseOffset: from, nextOffset } = new RecordBatch(bytes);
    if (baseOffset < (this.#ends.get(topicId) ?? 0)) return; // a producer's batch, stored before
    this.#ends.set(topicId, baseOffset + nextOffset - from);
    this.#stored += recordCount;
  }

  /** Reads everything that was taken in, by the public API, and deletes it. */
  async readBack(): Promise<number> {
    // By their names alone, so that every record can be decoded.
    const topics = [...TOPICS, FILES].map(({ name }) => name);
    const consumer = this.#log.consumer({ topics, from: 'earliest' });
    const giveUp = setTimeout(() => void consumer.close(), READ_BACK_MS);
    let read = 0;
    for await (const message of this.#stored === 0 ? [] : consumer) {
      use(message);
      if (++read === this.#stored) break;
    }
    clearTimeout(giveUp);
    await consumer.close();
    if (read !== this.#stored) throw new Error(`of ${this.#stored} records ${read} came back`);
    await this.#clean();
    await this.#log.admin.deleteTopics(topics);
    return read;
  }

  /** Has everything cleaned, and reads what is left. Throws for a batch that cannot be read. */
  async #clean(): Promise<void> {
    this.#clock.advance(CLEANED_AFTER_MS);
    await settle(CLEANING_TURNS);
    for (const topic of [...TOPICS, FILES]) {
      const { partitions = 1 } = topic;
      for (let partition = 0; partition < partitions; partition++) {
        for await (const bytes of this.#log.admin.exportPartition({ topic, partition })) {
          this.decode(Uint8Array.from(bytes));
        }
      }
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Whatever an application does with a message. */
function use(message: Message<string, unknown, unknown>): void {
  JSON.stringify(message);
  for (const [name] of message.headers) message.header(name);
  structuredClone(message);
}

/** Whether the error is one that a caller may see for hostile bytes. */
export function isTyped(error: unknown): error is TablogError {
  return error instanceof TablogError && error.code !== 'INTERNAL';
}
