import {
  BATCH_CORRUPT,
  INFLATED_TOO_LARGE,
  RECORD_TOO_LARGE,
  UNSUPPORTED_CODEC,
} from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';

/** The error for bytes that are not one whole, undamaged record batch. */
export function corruptBatch(why: string): TablogError {
  return new TablogError(BATCH_CORRUPT, `a record batch is damaged: ${why}`);
}

export function unsupportedCodec(codec: string): TablogError {
  return new TablogError(UNSUPPORTED_CODEC, `a record batch is compressed with ${codec}`, {
    details: { codec },
  });
}

export function recordTooLarge(bytes: number, maxRecordBytes: number): TablogError {
  return new TablogError(
    RECORD_TOO_LARGE,
    `a record of ${bytes} bytes is over the topic's maxRecordBytes, ${maxRecordBytes}`,
    { details: { bytes, maxRecordBytes } },
  );
}

export function inflatedTooLarge(limit: number): TablogError {
  return new TablogError(INFLATED_TOO_LARGE, `a batch inflates to over ${limit} bytes`, {
    details: { limit },
  });
}
