import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import type { Message } from '../../src/index.ts';
import { readBatches } from '../../src/record/batch-reader.ts';
import { hexOf } from './batches.ts';
import type { Bytes, PlainRecord } from './batches.ts';

/** Log files of a Kafka broker, made by tests/tools/kafka-log-files. */
const FOLDER = new URL('../fixtures/kafka-logs/', import.meta.url);

const { files } = JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8')) as {
  readonly files: Readonly<Record<string, readonly PlainRecord[]>>;
};

/** The names of the partitions in `FOLDER`. */
export const KAFKA_LOGS: readonly string[] = Object.keys(files);

/** The segments of a partition, in the order of their offsets. */
export function kafkaSegments(name: string): Bytes[] {
  return readdirSync(FOLDER)
    .filter((file) => file === `${name}.log` || /^-\d{20}\.log$/.test(file.slice(name.length)))
    .filter((file) => file.startsWith(name))
    .sort()
    .map((file) => Uint8Array.from(readFileSync(new URL(file, FOLDER))));
}

/** The only segment of a partition. */
export function kafkaSegment(name: string): Bytes {
  const [segment, ...more] = kafkaSegments(name);
  if (segment === undefined || more.length > 0) throw new Error(`${name} has not one segment`);
  return segment;
}

/** The records that Kafka's consumer read from a partition, without aborted transactions. */
export function kafkaRecords(name: string): readonly PlainRecord[] {
  return files[name]!;
}

/** A message in the form of `kafkaRecords`. */
export function asKafkaRecord(
  message: Message<string, Uint8Array | null, Uint8Array | null>,
): PlainRecord {
  const { offset, timestamp, key, value, headers } = message;
  return {
    offset,
    timestamp,
    key: shortOf(key),
    value: shortOf(value),
    headers: headers.map(([name, header]) => [name, shortOf(header)] as const),
  };
}

/** The whole batches of a segment, each in a buffer of its own. */
export function batchesOf(segment: Uint8Array): Bytes[] {
  return [...readBatches(withoutPadding(segment))].map(({ bytes }) => Uint8Array.from(bytes));
}

function withoutPadding(segment: Uint8Array): Uint8Array {
  const last = segment.findLastIndex((byte) => byte !== 0);
  // Kafka preallocates segments with zeros. A record without headers ends in one zero, which is
  // kept.
  return segment.length - last > 64 ? segment.subarray(0, last + 2) : segment;
}

function shortOf(bytes: Uint8Array | null): string | null {
  if (bytes === null || bytes.length <= 200) return hexOf(bytes);
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
