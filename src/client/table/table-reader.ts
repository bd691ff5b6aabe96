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
   * Called when everything that the topic had at the beginning has been read, and nothing more is
   * buffered.
   */
  readonly onCaughtUp: () => void;
  /** Has all of the topic read again, because tombstones may have been missed. */
  readonly restart: () => Promise<void>;
}

/** The end offset that a reader must reach before the table has caught up. */
interface Goal {
  readonly reader: PartitionReader;
  readonly endOffset: number;
}

/**
 * Reads a consumer's messages into a table until the consumer closes, and outlives every absence of
 * the worker and the storage. Rejects with an error that does not pass, and with `CLOSED` where the
 * log was deleted.
 */
export async function readTable(options: TableReaderOptions): Promise<void> {
  const { connection, reading: loop, closing } = options;
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
        // A read that waited in vain is no success: only an answered fetch resets the back-off.
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
   * up, in milliseconds since 1970. A tab that the browser froze for longer may have missed some.
   */
  #tombstonesUntil = Infinity;

  constructor(options: TableReaderOptions) {
    this.#options = options;
    this.#roundRobin = new RoundRobin(options.readers.all, MAX_POLL_RECORDS);
  }

  /** Reads everything that is buffered, and then waits for more. */
  async read(): Promise<void> {
    const { connection, readers, reading: loop, onCaughtUp, restart } = this.#options;
    const { clock } = connection;
    if (clock.now() > this.#tombstonesUntil) {
      await restart();
      this.#tombstonesUntil = Infinity;
      this.#goals = undefined;
    }
    const { arrival } = loop; // before the first poll: no arrival is missed
    this.#poll();
    if (this.#goals === undefined && readers.all.length > 0) {
      this.#goals = await this.#currentGoals();
      return; // more may have arrived meanwhile
    }
    if (this.#goals?.every(isReached) === true) {
      onCaughtUp();
      this.#tombstonesUntil = clock.now() + (await this.#tombstoneMs());
    }
    await loop.more(arrival);
  }

  #poll(): void {
    const { reading: loop, onMessage, onDecodeError } = this.#options;
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

  /** How long a tombstone can be read, in milliseconds. */
  async #tombstoneMs(): Promise<number> {
    const { topicMetadata, topic } = this.#options;
    const { config } = topicMetadata.get(topic) ?? (await topicMetadata.load(topic));
    return config.cleanup === 'delete' ? Infinity : config.deleteRetentionMs;
  }
}

/**
 * Whether the reader is at the goal. Meaningful once nothing is buffered: a reader skips empty
 * batches only when it is polled.
 */
function isReached({ reader, endOffset }: Goal): boolean {
  return reader.position >= endOffset;
}
