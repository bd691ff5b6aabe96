import type { TablogError } from '../../base/error.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { ConsumerListeners } from './consumer-events.ts';
import type { Position } from './position.ts';
import type { PartitionReader } from './partition-reader.ts';

export interface OffsetResetOptions {
  /** The position to continue at: the consumer's `from` (Kafka's `auto.offset.reset`). */
  readonly to: Position;
  /** Looks up the offset of a position; `undefined` where that fails. */
  readonly lookUp: (to: Position) => Promise<number | undefined>;
  readonly listeners: ConsumerListeners;
  /** Called when the partition is read again. */
  readonly onChange: () => void;
}

/**
 * Moves a reader whose position is out of range, as `error` says, to another position, within the
 * partition's offsets, and emits 'reset'. A seek during the look-up ends the reset. Where the
 * look-up fails, the reader continues, and the next fetch brings the error again.
 */
export async function resetOffset(
  reader: PartitionReader,
  { details }: TablogError,
  { to, lookUp, listeners, onChange }: OffsetResetOptions,
): Promise<void> {
  const { state, topic, partition, fetchOffset: outOfRange } = reader;
  if (!state.enter('resetting')) return;
  const { seekVersion } = state;
  // The records of a topic in memory were all appended after the loss of the previous worker, so
  // nobody has read any of them.
  const found = await lookUp(isInMemory(reader.topicId) ? 'earliest' : to);
  // After a seek, or where the group has revoked the partition, there is nothing to reset.
  if (state.seekVersion !== seekVersion || !state.enter('reading')) return;
  if (found !== undefined) {
    const startOffset = Number(details['startOffset']);
    const endOffset = Number(details['endOffset']);
    const offset = Math.min(Math.max(found, startOffset), endOffset);
    reader.seek(offset);
    const where = { topic: topic.name, partition };
    void listeners.emit('reset', { ...where, outOfRange, startOffset, endOffset, offset });
  }
  onChange();
}

/**
 * Whether the records at the reader's position were deleted. Otherwise a seek went beyond the end.
 */
export function isLeftBehind({ code, details }: TablogError): boolean {
  return (
    code === 'OFFSET_OUT_OF_RANGE' && Number(details['offset']) < Number(details['startOffset'])
  );
}
