import { ATTRIBUTE, FIELD, viewOf, writeInt64 } from './batch-format.ts';
import { crc32c } from './crc32c.ts';

/** The producer fields of a batch, by which a broker checks sequences; -1 each: not idempotent. */
export interface ProducerStamp {
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Computes the CRC of a batch whose other fields are in place. */
export function sealBatch(batch: Uint8Array): void {
  viewOf(batch).setUint32(FIELD.crc, crc32c(batch, FIELD.attributes));
}

/** Writes the base offset of a batch. The CRC does not cover these bytes. */
export function placeBatch(batch: Uint8Array, baseOffset: number): void {
  writeInt64(viewOf(batch), FIELD.baseOffset, baseOffset);
}

/** Writes the producer fields of a batch. Seal the batch afterwards. */
export function stampProducer(batch: Uint8Array, { id, epoch, sequence }: ProducerStamp): void {
  const view = viewOf(batch);
  writeInt64(view, FIELD.producerId, id);
  view.setInt16(FIELD.producerEpoch, epoch);
  view.setInt32(FIELD.baseSequence, sequence);
}

/** Gives all records of a batch the append time `now` as timestamp. Seal the batch afterwards. */
export function stampAppendTime(batch: Uint8Array, now: number): void {
  const view = viewOf(batch);
  view.setInt16(FIELD.attributes, view.getInt16(FIELD.attributes) | ATTRIBUTE.appendTime);
  writeInt64(view, FIELD.maxTimestamp, now);
}

/** Whether the bytes are the same as when the batch was sealed. */
export function crcMatches(batch: Uint8Array): boolean {
  return viewOf(batch).getUint32(FIELD.crc) === crc32c(batch, FIELD.attributes);
}
