import type { TablogError } from '../../base/error.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { ConsumerListeners } from './consumer-events.ts';
import type { Position } from './position.ts';
import type { PartitionReader } from './partition-reader.ts';

/**
 * Moves a reader whose place does not exist any more to `found`, within what there is, and tells the
 * application by 'reset'; unless somebody has sought since the fetch that said so.
 */
export function resetReader(
  reader: PartitionReader,
  { details }: TablogError,
  { found, epoch, listeners }: ResetTo,
): void {
  if (reader.epoch !== epoch) return;
  const { topic, partition, fetchOffset: outOfRange } = reader;
  const startOffset = Number(details['startOffset']);
  const endOffset = Number(details['endOffset']);
  const offset = Math.min(Math.max(found, startOffset), endOffset);
  reader.seek(offset);
  const where = { topic: topic.name, partition };
  void listeners.emit('reset', { ...where, outOfRange, startOffset, endOffset, offset });
}

/**
 * Where a reader goes on whose place does not exist any more. What there is of a topic in memory came
 * after what was lost with a worker: nobody has read it.
 */
export function resetPosition({ topicId }: PartitionReader, from: Position): Position {
  return isInMemory(topicId) ? 'earliest' : from;
}

interface ResetTo {
  /** What `from` means now. */
  readonly found: number;
  /** The reader's, when it was told. */
  readonly epoch: number;
  readonly listeners: ConsumerListeners;
}

/** Whether the records at the reader's place were deleted; not: it was sent beyond the end. */
export function isLeftBehind({ code, details }: TablogError): boolean {
  return (
    code === 'OFFSET_OUT_OF_RANGE' && Number(details['offset']) < Number(details['startOffset'])
  );
}
