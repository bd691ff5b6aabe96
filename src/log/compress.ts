import type { Codec } from '../record/batch-format.ts';
import { mustGetCodec } from '../record/compression/codecs.ts';
import { gzipBatch } from '../record/compression/gzip.ts';
import { packBatch } from '../record/pack-batch.ts';

/**
 * The batch compressed with a loaded codec, not yet sealed; the batch itself when compression would
 * not make it smaller. Gzip replaces a codec that can only be read.
 */
export function compressBatch(
  batch: Uint8Array<ArrayBuffer>,
  codec: Codec,
): Uint8Array<ArrayBuffer> {
  if (codec === 'none') return batch;
  if (codec === 'gzip') return gzipBatch(batch);
  const { deflate } = mustGetCodec(codec);
  return deflate === undefined ? gzipBatch(batch) : packBatch(batch, codec, deflate);
}
