import { ATTRIBUTE, FIELD, viewOf, writeInt64 } from './batch-format.ts';
import { crc32c } from './crc32c.ts';

/** Who wrote a batch, for brokers that check sequences; -1 each: nobody. */
export interface ProducerStamp {
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Computes the CRC of a batch whose other fields are in place. */
export function sealBatch(batch: Uint8Array): void {
  viewOf(batch).setUint32(FIELD.crc, crc32c(batch, FIELD.attributes));
}

/** Gives a batch its place in the partition; its CRC does not cover these bytes. */
export function placeBatch(batch: Uint8Array, baseOffset: number): void {
  writeInt64(viewOf(batch), FIELD.baseOffset, baseOffset);
}

/** Says who wrote a batch, and which of its batches it is; seal it afterwards. */
export function stampProducer(batch: Uint8Array, { id, epoch, sequence }: ProducerStamp): void {
  const view = viewOf(batch);
  writeInt64(view, FIELD.producerId, id);
  view.setInt16(FIELD.producerEpoch, epoch);
  view.setInt32(FIELD.baseSequence, sequence);
}

/** Gives all records of a batch the timestamp `now`, the time of the append; seal it afterwards. */
export function stampAppendTime(batch: Uint8Array, now: number): void {
  const view = viewOf(batch);
  view.setInt16(FIELD.attributes, view.getInt16(FIELD.attributes) | ATTRIBUTE.appendTime);
  writeInt64(view, FIELD.maxTimestamp, now);
}

/** Whether the bytes are those that were sealed. */
export function crcMatches(batch: Uint8Array): boolean {
  return viewOf(batch).getUint32(FIELD.crc) === crc32c(batch, FIELD.attributes);
}
