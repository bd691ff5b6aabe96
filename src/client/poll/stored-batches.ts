import { checkBoolean, withDefaults } from '../../base/argument.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { RawBatch } from '../message/message.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import { throwIfDeleted } from './message-loop.ts';
import type { MessageLoop } from './message-loop.ts';
import { RoundRobin } from './round-robin.ts';

/** The parts of a consumer that reading stored batches needs. */
export interface StoredBatchesSource {
  readonly loop: MessageLoop;
  readonly readers: AssignedPartitions;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
}

/**
 * Delivers whole batches as stored, from all partitions in turn. Throws a `TypeError` where
 * `options` are not `{ raw: true }`.
 */
export function storedBatches(
  options: object,
  source: StoredBatchesSource,
): AsyncGenerator<RawBatch, void, undefined> {
  const { raw } = withDefaults<{ raw: unknown }>('batches({ raw: true })', options, { raw: true });
  checkBoolean('raw', raw);
  return read(source);
}

async function* read({
  loop,
  readers,
  closing,
}: StoredBatchesSource): AsyncGenerator<RawBatch, void, undefined> {
  const leave = loop.enter();
  const roundRobin = new RoundRobin(readers.all, 1, nextRaw);
  try {
    while (!closing.aborted) {
      const { arrival } = loop; // before the poll: no arrival is missed
      const polled = loop.poll(roundRobin);
      if (polled === undefined) {
        await loop.more(arrival);
        continue;
      }
      const { reader, message } = polled;
      const { batch, firstOffset } = message;
      if (batch.recordCount === 0) continue; // a gap, or emptied by compaction
      loop.deliver(reader, firstOffset, batch.nextOffset);
      yield rawBatchOf(reader, message, closing);
      loop.finish();
    }
    throwIfDeleted(closing);
  } catch (error) {
    leave(true);
    throw error;
  } finally {
    leave();
  }
}

interface PolledBatch {
  readonly batch: RecordBatch;
  /** The first offset of the batch that was not read before. */
  readonly firstOffset: number;
}

function nextRaw(reader: PartitionReader): PolledBatch | undefined {
  const { position } = reader;
  const bytes = reader.nextRaw();
  if (bytes === undefined) return undefined;
  const batch = new RecordBatch(bytes); // the worker has checked the bytes
  return { batch, firstOffset: Math.max(batch.baseOffset, position) };
}

function rawBatchOf(
  { topic, partition, endOffset, progress, source }: PartitionReader,
  { batch, firstOffset }: PolledBatch,
  closing: AbortSignal,
): RawBatch {
  const { bytes, baseOffset, recordCount, nextOffset } = batch;
  return {
    topic: topic.name,
    partition,
    bytes,
    recordCount,
    baseOffset,
    firstOffset,
    lastOffset: nextOffset - 1,
    endOffset,
    lag: Math.max(endOffset - nextOffset, 0),
    signal: progress?.signal ?? closing,
    commit: () => source.commit(nextOffset),
  };
}
