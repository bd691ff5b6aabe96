import { TablogError } from '../base/error.ts';
import type { ConsumerInternals } from './consumer.ts';
import { Undecodable } from './decode-record.ts';
import { backOff, isWithoutWorker } from './delivery.ts';
import type { Message } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import { TURN_MESSAGES, throwIfDeleted } from './reading.ts';
import { Turns } from './turns.ts';

export interface TableReaderOptions extends ConsumerInternals {
  readonly onDecodeError: 'fail' | 'skip';
  readonly topic: string;
  readonly onMessage: (message: Message) => void;
  /** Everything was read that there was at the beginning, and nothing more is at hand. */
  readonly onCaughtUp: () => void;
  /** Tombstones may have been missed: has all of the topic read once more. */
  readonly restart: () => Promise<void>;
}

/** An end that a reader is to reach. */
interface Goal {
  readonly reader: PartitionReader;
  readonly end: number;
}

/** How long workers and storage may fail before the table does: as long as a producer goes on. */
const GIVE_UP_MS = 120_000;

/**
 * Reads what a consumer brings, until it closes: everything that is at hand, then again when there is
 * more. Rejects with what stops a partition, and with `CLOSED` where the log was deleted.
 */
export async function readTable(options: TableReaderOptions): Promise<void> {
  const { connection, readers, reading, closing, onDecodeError, onMessage, onCaughtUp, restart } =
    options;
  const { clock } = connection;
  const leave = reading.enter();
  const turns = new Turns(readers.all, TURN_MESSAGES);
  let goals: readonly Goal[] | undefined;
  /** Since the first failure in a row; not since the last success, as a tab sleeps, too. */
  let failingSince = 0;
  let failures = 0;
  let answers = 0;
  /** Until when every tombstone that came is still there to be read. */
  let currentUntil = Infinity;
  try {
    while (!closing.aborted) {
      try {
        if (clock.now() > currentUntil) {
          await restart();
          currentUntil = Infinity;
          goals = undefined;
        }
        const { arrival } = reading; // before the look, so that nothing falls in between
        const delivery = reading.take(turns);
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
        await reading.more(arrival);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (reading.answers !== answers) failures = 0;
        answers = reading.answers;
        if (failures === 0) failingSince = clock.now();
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
 * The ends of all partitions. A reader gets there also where compaction has removed the last records:
 * the batches that it has emptied still cover their offsets.
 */
async function goalsOf({ readers }: ConsumerInternals): Promise<readonly Goal[]> {
  const all = [...readers.all];
  const ends = await readers.resolve(all, 'latest');
  return all.map((reader, i) => ({ reader, end: ends[i]! }));
}

/** How long a tombstone can be read: a tab that the browser froze for longer may have missed some. */
async function tombstoneMs({ registry, topic }: TableReaderOptions): Promise<number> {
  const { config } = registry.get(topic) ?? (await registry.load(topic));
  return config.cleanup === 'delete' ? Infinity : config.deleteRetentionMs;
}

/** Once nothing more is at hand: a reader steps over empty batches when it is asked for a message. */
function isReached({ reader, end }: Goal): boolean {
  return reader.position >= end;
}

/** The worker or the storage went away: another one goes on. */
function isPassing(error: unknown): boolean {
  if (isWithoutWorker(error)) return true;
  return error instanceof TablogError && (error.retriable || error.code === 'OUTCOME_UNKNOWN');
}
