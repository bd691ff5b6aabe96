/**
 * Compresses and inflates the records of batches, as one block.
 *
 * All decoders are our own, because bytes come from files and other tabs: a decoder has to end,
 * within a bound of memory and of work for each byte, whatever it is given. Of the libraries, lz4js
 * checks no bounds, snappyjs turns a cut block into zeros, fzstd does not return for some damaged
 * frames, fflate makes tables of 32,768 entries for a block of 12 bytes, and builds of Zstandard in
 * wasm need `wasm-unsafe-eval`, which many pages' Content-Security-Policy forbids.
 */
export interface RecordCodec {
  /**
   * Inflates to at most `limit` bytes, whatever sizes the bytes declare. Throws
   * `INFLATED_TOO_LARGE` beyond that, and `BATCH_CORRUPT` for bytes that the codec did not write.
   */
  readonly inflate: (bytes: Uint8Array, limit: number) => Uint8Array;
  /** Compresses the records; missing where batches of the codec can be read only. */
  readonly deflate?: (records: Uint8Array) => Uint8Array;
}
