import { placeBatch, sealBatch } from '../../record/batch-seal.ts';
import { BatchWriter } from '../../record/batch-writer.ts';
import { concat } from '../../record/concat.ts';
import type { SinkRecord } from '../sink/sink.ts';

/**
 * Record batches of the records at their offsets, end to end: one for each run of offsets without a
 * hole. Keys and values are bytes, as those of topics without serdes.
 */
export function encodeRecords(records: readonly SinkRecord[]): Uint8Array<ArrayBuffer> {
  const writer = new BatchWriter();
  const batches: Uint8Array[] = [];
  let [base, next] = [0, 0];
  const finish = (): void => {
    if (writer.recordCount === 0) return;
    const batch = writer.finish();
    placeBatch(batch, base);
    sealBatch(batch);
    batches.push(batch);
  };
  for (const { offset, timestamp, key, value, headers } of records) {
    if (offset !== next || writer.recordCount === 0) {
      finish();
      base = offset;
    }
    writer.append({ timestamp, headers, key: key as Uint8Array, value: value as Uint8Array });
    next = offset + 1;
  }
  finish();
  const size = batches.reduce((sum, { length }) => sum + length, 0);
  return concat(batches, size);
}

/** About how many bytes a record takes. */
export function sizeOf({ key, value, headers }: SinkRecord): number {
  const bytes = (part: unknown): number => (part as Uint8Array | null)?.length ?? 0;
  return (
    headers.reduce((sum, [name, header]) => sum + name.length + bytes(header), 0) +
    bytes(key) +
    bytes(value)
  );
}
