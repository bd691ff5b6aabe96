import { UNKNOWN_TOPIC } from '../../base/error-rules.ts';
import { TablogError, isAway, isFenced, isPassing, isUnknown } from '../../base/error.ts';
import { retry } from '../../platform/retry.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { BatchWriter, recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import type { Append } from '../../protocol/produce.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { CommitRequest } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import type { MessageDelivery } from '../message/pending-commit.ts';
import type { Topic } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { deadLetterHeaders } from './dead-letter-headers.ts';
import type { DeliveredRecords } from './delivered-records.ts';

export interface DeadLetterQueue {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly topic: Topic;
  /**
   * Whether the records are delivered again, here or to another member, and so must not be stored
   * as dead letters.
   */
  readonly isOver: () => boolean;
}

/** Stores the dead letters, together with the offsets of the group. */
type Store = (commit: CommitRequest | null) => Promise<void>;

/** The size at which a batch of dead letters is full. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Stores records in the dead letter topic, byte for byte, with headers for their origin and the
 * error. With a group the records and their commit are one transaction, which waits until every
 * earlier message of the partition is processed. Retries while the worker or the storage is away.
 * Resolves with false, and has stored nothing, where the records are delivered again.
 *
 * A transaction cannot include a topic in memory. In such a topic the records are stored first, and
 * committed after: a crash in between stores them twice, and loses none.
 */
export async function sendDeadLetter(
  queue: DeadLetterQueue,
  { reader, delivery, records }: DeliveredRecords,
  error: unknown,
  attempts: number,
): Promise<boolean> {
  const { topic, partition, progress } = reader;
  const deadLetterTopic = queue.topic.name;
  const deadLetters = records.map(({ offset, parts }): RecordParts => {
    const failed = { topic: topic.name, partition, offset, attempts, error, deadLetterTopic };
    return { ...parts, headers: deadLetterHeaders(parts.headers, failed) };
  });
  const store: Store = (commit) => storeRecords(queue, deadLetters, partition, commit);
  if (progress !== undefined && delivery !== undefined) {
    return storeWithCommit(queue, progress, delivery, store);
  }
  return retryUntilOver(queue, isPassing, async () => {
    await store(null);
    return true;
  });
}

/**
 * Stores the dead letters with a commit of the delivered records, once all earlier records are
 * processed.
 */
async function storeWithCommit(
  queue: DeadLetterQueue,
  progress: PartitionProgress,
  delivery: MessageDelivery,
  store: Store,
): Promise<boolean> {
  // Until these records are the next ones, earlier records are committed by commits of their own.
  if (!(await progress.isFirst(delivery))) return false;
  // From here on, also between two attempts, no commit of earlier records may follow: such a commit
  // would take back the commit of an attempt that was stored, and the records would be stored
  // twice.
  const transaction = progress.beginTransaction(delivery.next);
  /** Whether the answer to an attempt was lost. */
  let mayBeStored = false;
  const attempt = async (): Promise<boolean> => {
    if (!(await progress.isFirst(delivery))) return false;
    const commit = transaction.toSend();
    if (!mayBeStored || !(await isCommitted(queue.connection, progress, commit.offset))) {
      try {
        await store({ member: progress.member, offsets: [commit] });
      } catch (failure) {
        mayBeStored ||= isUnknown(failure);
        throw failure;
      }
    }
    transaction.end(true);
    return true;
  };
  try {
    // alone(): no attempt overtakes a commit that is in flight.
    return await retryUntilOver(queue, isAway, () => progress.committer.alone(attempt));
  } finally {
    transaction.end(false); // has no effect after end(true)
  }
}

/**
 * Retries `attempt`, with back-off, while its failures are retriable. Resolves with false where the
 * records are delivered again meanwhile, or another member owns the partition.
 */
async function retryUntilOver(
  { connection, isOver }: DeadLetterQueue,
  isRetriable: (failure: unknown) => boolean,
  attempt: () => Promise<boolean>,
): Promise<boolean> {
  const isRetried = (failure: unknown): boolean => isRetriable(failure) && !isOver();
  try {
    return await retry(connection, { isRetried }, async () => !isOver() && (await attempt()));
  } catch (failure) {
    if (isFenced(failure) || (isRetriable(failure) && isOver())) return false;
    throw failure;
  }
}

/** Whether the group has committed the partition up to `offset`. */
async function isCommitted(
  connection: Connection,
  { member, topicId, partition, assignmentEpoch }: PartitionProgress,
  offset: number,
): Promise<boolean> {
  const partitions = [{ topicId, partition, assignmentEpoch }];
  const request = { member, partitions, from: { offset: 0 } };
  const [position] = await connection.call('positionPartitions', request);
  const { offset: committed, reset } = position!;
  return (reset?.committed ?? committed) >= offset;
}

async function storeRecords(
  { connection, topicMetadata, topic }: DeadLetterQueue,
  deadLetters: readonly RecordParts[],
  partition: number,
  commit: CommitRequest | null,
): Promise<void> {
  const known = await topicMetadata.load(topic.name);
  try {
    await send(connection, appendsOf(known, deadLetters, partition), commit);
  } catch (error) {
    const isUnknown = error instanceof TablogError && error.code === UNKNOWN_TOPIC.code;
    if (!isUnknown) throw error;
    topicMetadata.forget();
    const fresh = await topicMetadata.load(topic.name);
    if (fresh.id === known.id) throw error;
    // The topic was created again, perhaps with fewer partitions.
    await send(connection, appendsOf(fresh, deadLetters, partition), commit);
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

/** The dead letters in batches, for the partition of the same number where the topic has it. */
function appendsOf(
  { id, partitions }: TopicInfo,
  deadLetters: readonly RecordParts[],
  partition: number,
): Append[] {
  const appends: Append[] = [];
  const writer = new BatchWriter();
  const finish = (): void => {
    const batch = writer.finish().buffer;
    const where = { topicId: id, partition: partition % partitions };
    appends.push({ ...where, batch, compression: 'none', isDeadLetter: true });
  };
  for (const deadLetter of deadLetters) {
    const isFull = writer.byteLength + recordBytes(deadLetter) > BATCH_BYTES;
    if (isFull && writer.recordCount > 0) finish();
    writer.append(deadLetter);
  }
  finish();
  return appends;
}
