import { PARTITION_NOT_EMPTY } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { storeBatches } from '../append.ts';
import type { Appended } from '../append.ts';
import type { PartitionHead } from '../head.ts';
import { ProducerStates } from '../producer-state.ts';

/** Puts batches that tile their range into a new partition. Throws `PARTITION_NOT_EMPTY`. */
export function importBatches(
  head: PartitionHead,
  batches: readonly RecordBatch[],
  now: number,
): Omit<Appended, 'results'> {
  mustBeNew(head);
  const from = batches[0]!.baseOffset;
  // Sequence numbers in the file belong to producers of another log, so the partition remembers
  // none of them.
  const producers = new ProducerStates(head.producers, now);
  const places = { startOffset: from, endOffset: from, rowsFrom: from };
  const begun = { ...head, ...places, unmerged: { ...head.unmerged, from } };
  return storeBatches(begun, batches, producers);
}

/** Checks that the partition has never had a record. Throws `PARTITION_NOT_EMPTY`. */
export function mustBeNew({ partition, endOffset }: PartitionHead): void {
  if (endOffset === 0) return;
  const happened = `partition ${partition} is not new: its next offset is ${endOffset}`;
  throw new TablogError(PARTITION_NOT_EMPTY, happened, { details: { partition, endOffset } });
}
