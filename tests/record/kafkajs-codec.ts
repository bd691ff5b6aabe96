import Decoder from 'kafkajs/src/protocol/decoder.js';
import encodeRecord from 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
import decodeBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import kafkajsBatch from 'kafkajs/src/protocol/recordBatch/v0/index.js';
import type { Field, RecordParts } from '../../src/record/batch-writer.ts';
import { hexOf } from '../support/batches.ts';
import type { PlainRecord } from '../support/batches.ts';

type DecodedBatch = Awaited<ReturnType<typeof decodeBatch>>;

const COMPRESSION = { none: 0, gzip: 1 } as const;
export type Compression = keyof typeof COMPRESSION;

/** What KafkaJS writes for these records; it has no null for a header's value. */
export async function kafkajsEncode(
  records: readonly RecordParts[],
  compression: Compression,
): Promise<Uint8Array> {
  const timestamps = records.map(({ timestamp }) => timestamp);
  const firstTimestamp = timestamps[0]!;
  const encoder = await kafkajsBatch.RecordBatch({
    compression: COMPRESSION[compression],
    firstTimestamp,
    maxTimestamp: Math.max(...timestamps),
    lastOffsetDelta: records.length - 1,
    records: records.map((record, offsetDelta) =>
      encodeRecord({
        offsetDelta,
        timestampDelta: record.timestamp - firstTimestamp,
        key: bufferOf(record.key),
        value: bufferOf(record.value),
        headers: grouped(record.headers, bufferOf) as Record<string, Buffer[]>,
      }),
    ),
  });
  return encoder.buffer;
}

export async function kafkajsDecode(batch: Uint8Array): Promise<DecodedBatch> {
  return decodeBatch(new Decoder(Buffer.from(batch)));
}

/** The records of a batch that KafkaJS has decoded, as it groups them: all of one header together. */
export function decodedRecords(batch: DecodedBatch): object[] {
  return batch.records.map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: hexOf(key),
    value: hexOf(value),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, [values].flat().map(hexOf)]),
    ),
  }));
}

/** `records` in the same form. */
export function asDecoded(records: readonly PlainRecord[]): object[] {
  return records.map(({ offset, timestamp, key, value, headers }) => ({
    offset: `${offset}`,
    timestamp: `${timestamp}`,
    key,
    value,
    headers: grouped(headers, (hex) => hex),
  }));
}

function grouped<V, R>(
  headers: readonly (readonly [name: string, value: V])[],
  convert: (value: V) => R,
): Record<string, R[]> {
  const groups: Record<string, R[]> = {};
  for (const [name, value] of headers) (groups[name] ??= []).push(convert(value));
  return groups;
}

function bufferOf(field: Field): Buffer | null {
  return field === null ? null : Buffer.from(field as Uint8Array);
}
