import { TablogError, mayCallAgain } from '../../base/error.ts';
import type { ConsumerInternals } from '../consumer/consumer.ts';
import { Undecodable } from '../message/decode-record.ts';
import { backOff, isWithoutWorker } from '../connection/delivery.ts';
import type { Message } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import { MAX_POLL_RECORDS, throwIfDeleted } from '../poll/message-loop.ts';
import { RoundRobin } from '../poll/round-robin.ts';

export interface TableReaderOptions extends ConsumerInternals {
  readonly onDecodeError: 'fail' | 'skip';
  readonly topic: string;
  readonly onMessage: (message: Message) => void;
  /**
   * Called when everything that was there at the beginning has been read, and nothing more is at
   * hand.
   */
  readonly onCaughtUp: () => void;
  /** Has all of the topic read again, because tombstones may have been missed. */
  readonly restart: () => Promise<void>;
}

/** The end offset that a reader must reach before the table is ready. */
interface Goal {
  readonly reader: PartitionReader;
  readonly end: number;
}

/**
 * How long workers and storage may fail before the table does: a producer's default
 * `deliveryTimeoutMs`.
 */
const GIVE_UP_MS = 120_000;

/**
 * Reads a consumer's messages until it closes: everything at hand, and more as it comes. Rejects
 * with an error that stops a partition, and with `CLOSED` where the log was deleted.
 */
export async function readTable(options: TableReaderOptions): Promise<void> {
  const { connection, readers, reading, closing, onDecodeError, onMessage, onCaughtUp, restart } =
    options;
  const { clock } = connection;
  const leave = reading.enter();
  const turns = new RoundRobin(readers.all, MAX_POLL_RECORDS);
  let goals: readonly Goal[] | undefined;
  /** Since the first failure in a row; not since the last success, as a tab sleeps, too. */
  let failingSince = 0;
  let failures = 0;
  let answers = 0;
  /**
   * Until this time the topic still has every tombstone that came since the table last caught up.
   */
  let currentUntil = Infinity;
  try {
    while (!closing.aborted) {
      try {
        if (clock.now() > currentUntil) {
          await restart();
          currentUntil = Infinity;
          goals = undefined;
        }
        const { arrival } = reading; // read before the look: no arrival is missed
        const delivery = reading.poll(turns);
        if (delivery !== undefined) {
          const { message } = delivery;
          if (!(message instanceof Undecodable)) onMessage(message);
          else if (onDecodeError === 'fail') throw message.error;
          continue;
        }
        if (goals === undefined && readers.all.length > 0) {
          goals = await goalsOf(options);
          continue;
        }
        if (goals?.every(isReached) === true) {
          onCaughtUp();
          currentUntil = clock.now() + (await tombstoneMs(options));
        }
        const { failing } = reading;
        const isAway = failing !== undefined && !isWithoutWorker(failing.error);
        if (isAway && clock.now() - failing.since > GIVE_UP_MS) throw failing.error;
        await reading.more(arrival);
      } catch (error) {
        if (!(error instanceof TablogError) || !mayCallAgain(error)) throw error;
        if (reading.answers !== answers) failures = 0;
        answers = reading.answers;
        if (failures === 0) failingSince = reading.failing?.since ?? clock.now();
        if (clock.now() - failingSince > GIVE_UP_MS) throw error;
        await backOff(connection, ++failures);
      }
    }
    throwIfDeleted(closing);
  } finally {
    leave();
  }
}

/**
 * The end offsets of all partitions. A reader reaches the end even where compaction has removed the
 * last records: their emptied batches still cover the offsets.
 */
async function goalsOf({ readers }: ConsumerInternals): Promise<readonly Goal[]> {
  const all = [...readers.all];
  const ends = await readers.resolve(all, 'latest');
  return all.map((reader, i) => ({ reader, end: ends[i]! }));
}

/**
 * How long a tombstone can be read, in milliseconds. A tab that the browser froze for longer may
 * have missed some.
 */
async function tombstoneMs({ topicMetadata, topic }: TableReaderOptions): Promise<number> {
  const { config } = topicMetadata.get(topic) ?? (await topicMetadata.load(topic));
  return config.cleanup === 'delete' ? Infinity : config.deleteRetentionMs;
}

/**
 * Whether the reader is at the goal. Call it once nothing is at hand: a reader skips empty batches
 * only when asked for a message.
 */
function isReached({ reader, end }: Goal): boolean {
  return reader.position >= end;
}
