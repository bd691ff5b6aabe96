import { TablogError } from '../../base/error.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { BatchWriter, recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import type { Append } from '../../protocol/produce.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { CommitRequest } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import { deadLetterHeaders } from './dead-letter-headers.ts';
import { backOff, isWithoutWorker } from '../connection/delivery.ts';
import { toCommit } from '../message/partition-progress.ts';
import type { Handed, PartitionProgress } from '../message/partition-progress.ts';
import type { DeliveredRecords } from './delivered-records.ts';
import { isFenced } from '../group/offset-committer.ts';
import type { Topic } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

export interface DeadLetterQueue {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly topic: Topic;
  /** Whether nobody wants the records buried any more: they come again, here or elsewhere. */
  readonly isOver: () => boolean;
}

/** The bytes at which a batch of dead letters is full. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Stores records in the dead letter topic, byte for byte, with headers that tell where they were
 * and why. With a group the records and their commit are one transaction, so it waits until every
 * earlier message of the partition is processed. Returns false, and stores nothing, where the
 * partition is not this consumer's any more.
 *
 * A transaction cannot include a topic in memory: there the records are stored first, and committed
 * after. A crash in between buries them twice, and loses none.
 */
export async function sendDeadLetter(
  graveyard: DeadLetterQueue,
  handed: DeliveredRecords,
  error: unknown,
  attempts: number,
): Promise<boolean> {
  for (let failures = 1; ; failures++) {
    try {
      return await buryOnce(graveyard, handed, error, attempts);
    } catch (failure) {
      // Nothing was sent: the record stays the next one for as long as there is no worker.
      if (!isWithoutWorker(failure) || graveyard.isOver()) throw failure;
      await backOff(graveyard.connection, failures);
      if (graveyard.isOver()) return false;
    }
  }
}

async function buryOnce(
  graveyard: DeadLetterQueue,
  { reader, handed, records }: DeliveredRecords,
  error: unknown,
  attempts: number,
): Promise<boolean> {
  const { topic, partition, progress } = reader;
  const deadLetterTopic = graveyard.topic.name;
  const letters = records.map(({ offset, parts }): RecordParts => {
    const failed = { topic: topic.name, partition, offset, attempts, error, deadLetterTopic };
    return { ...parts, headers: deadLetterHeaders(parts.headers, failed) };
  });
  const store = (commit: CommitRequest | null): Promise<void> =>
    storeLetters(graveyard, letters, partition, commit);
  if (progress === undefined || handed === undefined) {
    await store(null);
    return true;
  }
  return storeWithCommit(graveyard.connection, progress, handed, store);
}

async function storeLetters(
  { connection, topicMetadata, topic }: DeadLetterQueue,
  letters: readonly RecordParts[],
  partition: number,
  commit: CommitRequest | null,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const info = await topicMetadata.load(topic.name);
    try {
      await send(connection, appendsOf(info, letters, partition), commit);
      return;
    } catch (error) {
      // The topic was created again since the look-up, perhaps with fewer partitions.
      if (!isUnknownTopic(error) || tries > 1) throw error;
      topicMetadata.forget();
    }
  }
}

async function send(
  connection: Connection,
  appends: readonly Append[],
  commit: CommitRequest | null,
): Promise<void> {
  const durability = 'relaxed';
  if (!isInMemory(appends[0]!.topicId)) {
    const commits = commit === null ? [] : [commit];
    await connection.call('transact', { appends, durability, commits, producer: null });
    return;
  }
  const results = await connection.call('produce', { appends, durability });
  for (const result of results) if ('error' in result) throw fromErrorData(result.error);
  if (commit !== null) await connection.call('commitOffsets', commit);
}

function appendsOf(
  { id, partitions }: TopicInfo,
  letters: readonly RecordParts[],
  partition: number,
): Append[] {
  const appends: Append[] = [];
  const writer = new BatchWriter();
  const finish = (): void => {
    const batch = writer.finish().buffer;
    const where = { topicId: id, partition: partition % partitions };
    appends.push({ ...where, batch, compression: 'none', isDeadLetter: true });
  };
  for (const letter of letters) {
    const isFull = writer.byteLength + recordBytes(letter) > BATCH_BYTES;
    if (isFull && writer.recordCount > 0) finish();
    writer.append(letter);
  }
  finish();
  return appends;
}

/** Stores with a commit of the records that were handed out, once all before them are processed. */
async function storeWithCommit(
  connection: Connection,
  progress: PartitionProgress,
  handed: Handed,
  store: (commit: CommitRequest) => Promise<void>,
): Promise<boolean> {
  const { restarts } = progress;
  // Behind the commits that are under way: none of them is to be overtaken.
  const buried = async (): Promise<boolean> => {
    if (!(await progress.isFirst(handed))) return false;
    const { member, topicId, partition, epoch } = progress;
    const claim = { topicId, partition, epoch };
    const offset = Math.max(handed.next, progress.committed);
    for (;;) {
      try {
        await store({ member, offsets: [toCommit(progress, offset)] });
        break;
      } catch (failure) {
        if (isFenced(failure)) return false;
        if (!(failure instanceof TablogError) || failure.code !== 'OUTCOME_UNKNOWN') throw failure;
        // The commit tells what became of both.
        const request = { member, claims: [claim], from: { offset } };
        const told = connection.call('positionPartitions', request);
        const [position] = await told.catch((error: unknown) => {
          throw isWithoutWorker(error) ? failure : error; // they may be there, and are not sent again
        });
        if (position!.offset >= offset) break;
      }
    }
    if (progress.restarts === restarts) progress.committed = offset;
    return true;
  };
  // Not while it keeps the commits of those before it; from then on it is the one to be next.
  if (!(await progress.isFirst(handed))) return false;
  progress.asked = Math.max(progress.asked, handed.next);
  progress.transactions++;
  try {
    return await progress.committer.alone(buried);
  } finally {
    progress.transactions--;
    if (progress.restarts === restarts) progress.asked = progress.committed;
  }
}

function isUnknownTopic(error: unknown): boolean {
  return error instanceof TablogError && error.code === 'UNKNOWN_TOPIC';
}
