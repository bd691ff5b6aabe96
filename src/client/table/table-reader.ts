import { isAway } from '../../base/error.ts';
import { BackOff } from '../../platform/retry.ts';
import type { ConsumerInternals } from '../consumer/consumer-internals.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import { SerdeWait } from '../topics/serde-context.ts';
import { MAX_POLL_RECORDS, throwIfDeleted } from '../poll/message-loop.ts';
import { RoundRobin } from '../poll/round-robin.ts';

export interface TableReaderOptions extends ConsumerInternals {
  readonly onDecodeError: 'fail' | 'skip';
  readonly topic: string;
  readonly onMessage: (message: Message) => void;
  /**
   * Called when all records that the topic had at the start of the read have been read, and no more
   * records are buffered.
   */
  readonly onCaughtUp: () => void;
  /**
   * Restarts the table from the topic's first records, because the table may have missed
   * tombstones.
   */
  readonly restart: () => Promise<void>;
}

/** The end offset that a reader must reach before the table has caught up. */
interface Goal {
  readonly reader: PartitionReader;
  readonly endOffset: number;
}

/**
 * Reads a consumer's messages into a table until the consumer closes. While the worker or the
 * storage is away, the read is retried. Rejects with any other error, and with `CLOSED` where the
 * log was deleted.
 */
export async function readTable(options: TableReaderOptions): Promise<void> {
  const { connection, loop, closing } = options;
  const leave = loop.enter();
  const reader = new TableReader(options);
  const backOff = new BackOff(connection, closing);
  let answers = 0;
  try {
    while (!closing.aborted) {
      try {
        await reader.read();
      } catch (error) {
        if (!isAway(error)) throw error;
        // Only an answered fetch resets the back-off, because a read can wait and fail without any
        // answer.
        if (loop.answers !== answers) backOff.succeeded();
        answers = loop.answers;
        await backOff.failed();
      }
    }
    throwIfDeleted(closing);
  } finally {
    leave();
  }
}

class TableReader {
  readonly #options: TableReaderOptions;
  readonly #roundRobin: RoundRobin;
  /** `undefined` until the consumer has partitions. */
  #goals: readonly Goal[] | undefined;
  /**
   * The time until which the topic has every tombstone that was sent since the table last caught
   * up, in milliseconds since 1970. A tab that the browser froze past this time may have missed
   * tombstones.
   */
  #tombstonesUntil = Infinity;

  constructor(options: TableReaderOptions) {
    this.#options = options;
    this.#roundRobin = new RoundRobin(options.readers.all, MAX_POLL_RECORDS);
  }

  /** Reads all buffered records, and then waits for more. */
  async read(): Promise<void> {
    const { connection, readers, loop, onCaughtUp, restart } = this.#options;
    const { clock } = connection;
    if (clock.now() > this.#tombstonesUntil) {
      await restart();
      this.#tombstonesUntil = Infinity;
      this.#goals = undefined;
    }
    const { arrival } = loop; // taken before the first poll, so that no arrival is missed
    this.#poll();
    if (this.#goals === undefined && readers.all.length > 0) {
      this.#goals = await this.#currentGoals();
      return; // more records may have arrived meanwhile
    }
    if (this.#goals?.every(isReached) === true) {
      onCaughtUp();
      this.#tombstonesUntil = clock.now() + (await this.#tombstoneMs());
    }
    await loop.more(arrival);
  }

  #poll(): void {
    const { loop, onMessage, onDecodeError } = this.#options;
    for (;;) {
      const polled = loop.poll(this.#roundRobin);
      if (polled === undefined) return;
      const { message, reader } = polled;
      if (message instanceof Undecodable) {
        if (onDecodeError === 'fail') throw message.error;
        continue;
      }
      try {
        onMessage(message);
      } catch (error) {
        if (!(error instanceof SerdeWait)) throw error;
        reader.suspend(error); // the key could not be encoded yet
      }
    }
  }

  /**
   * The end offsets of all partitions. A reader reaches the end even where compaction has removed
   * the last records: their emptied batches still cover the offsets.
   */
  async #currentGoals(): Promise<readonly Goal[]> {
    const { readers } = this.#options;
    const all = [...readers.all];
    const ends = await readers.resolve(all, 'latest');
    return all.map((reader, i) => ({ reader, endOffset: ends[i]! }));
  }

  /** How long the topic keeps a tombstone, in milliseconds. */
  async #tombstoneMs(): Promise<number> {
    const { topicMetadata, topic } = this.#options;
    const { config } = topicMetadata.get(topic) ?? (await topicMetadata.load(topic));
    return config.cleanup === 'delete' ? Infinity : config.deleteRetentionMs;
  }
}

/**
 * Whether the reader is at the goal. The result is meaningful only while no records are buffered,
 * because a reader skips empty batches only when it is polled.
 */
function isReached({ reader, endOffset }: Goal): boolean {
  return reader.position >= endOffset;
}
