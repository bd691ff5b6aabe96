import type { TablogError } from '../../base/error.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { ConsumerListeners } from './consumer-events.ts';
import type { Position } from './position.ts';
import type { PartitionReader } from './partition-reader.ts';

export interface OffsetResetOptions {
  /** Where to go on, as the consumer's `from` says. */
  readonly to: Position;
  /** The offset of the place; `undefined` where it could not be looked up. */
  readonly lookUp: (to: Position) => Promise<number | undefined>;
  readonly listeners: ConsumerListeners;
  /** Called when the partition is read again. */
  readonly onChange: () => void;
}

/**
 * Moves a reader whose position is out of range, as `error` says, to another place, within what
 * there is, and tells the application by 'reset'. A seek meanwhile ends the reset. Where the place
 * cannot be looked up, the reader goes on, and the next fetch brings the error once more.
 */
export async function resetOffset(
  reader: PartitionReader,
  { details }: TablogError,
  { to, lookUp, listeners, onChange }: OffsetResetOptions,
): Promise<void> {
  const { state, topic, partition, fetchOffset: outOfRange } = reader;
  if (!state.enter('resetting')) return;
  const { seekVersion } = state;
  // What there is of a topic in memory came after what was lost with a worker: nobody has read it.
  const found = await lookUp(isInMemory(reader.topicId) ? 'earliest' : to);
  // After a seek, or where the group has taken the partition away, there is nothing to reset.
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

/** Whether the records at the reader's position were deleted. Else a seek went beyond the end. */
export function isLeftBehind({ code, details }: TablogError): boolean {
  return (
    code === 'OFFSET_OUT_OF_RANGE' && Number(details['offset']) < Number(details['startOffset'])
  );
}
