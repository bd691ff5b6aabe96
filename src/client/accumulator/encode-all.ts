import type { Topic } from '../topics/topic.ts';
import { encodeRecord, expectedOffsetOf } from './record-encoder.ts';
import type { ProducerRecord } from './record-encoder.ts';
import { withIndex } from './record-index.ts';
import { outgoing } from './topic-accumulator.ts';
import type { OutgoingRecord } from './topic-accumulator.ts';

/**
 * The records of a call, encoded. Throws as `encodeRecord` and `expectedOffsetOf` do, with the index
 * of the record.
 */
export function encodeAll(
  topic: Topic,
  records: readonly ProducerRecord<unknown, unknown>[],
  now: number,
): OutgoingRecord[] {
  const encoded: OutgoingRecord[] = [];
  try {
    for (const record of records) {
      const parts = encodeRecord(topic, record, now);
      encoded.push(outgoing(parts, record.partition, expectedOffsetOf(record)));
    }
  } catch (error) {
    throw withIndex(error, encoded.length, records.length);
  }
  return encoded;
}
