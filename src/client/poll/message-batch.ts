import { Undecodable } from '../message/decode-record.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';

/**
 * Fills `messages` with buffered messages of the reader. Returns false where the partition has
 * stopped, or its next record cannot be decoded; the next poll then reports the error.
 */
export function fill(messages: Message[], reader: PartitionReader, max: number): boolean {
  try {
    while (messages.length < max) {
      const message = reader.next();
      if (message === undefined) return true;
      if (message instanceof Undecodable) {
        reader.putBack();
        return false;
      }
      messages.push(message);
    }
    return true;
  } catch {
    return false;
  }
}

/** A batch of messages. `closing` is the signal of the batch where the consumer has no group. */
export function batchOf(
  reader: PartitionReader,
  messages: readonly Message[],
  closing: AbortSignal,
): MessageBatch {
  const { topic, partition, endOffset, progress, source } = reader;
  const lastOffset = messages.at(-1)!.offset;
  return {
    topic: topic.name,
    partition,
    messages,
    firstOffset: messages[0]!.offset,
    lastOffset,
    endOffset,
    lag: Math.max(endOffset - lastOffset - 1, 0),
    signal: progress?.signal ?? closing,
    commit: () => source.commit(lastOffset + 1),
  };
}
