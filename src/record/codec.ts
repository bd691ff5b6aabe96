/** Compresses and inflates the records of batches, as one block. */
export interface RecordCodec {
  /**
   * Inflates to at most `limit` bytes, whatever sizes the bytes declare. Throws `INFLATED_TOO_LARGE`
   * beyond that, and `BATCH_CORRUPT` for bytes that the codec did not write.
   */
  readonly inflate: (bytes: Uint8Array, limit: number) => Uint8Array;
  /** Compresses the records; missing where batches of the codec can be read only. */
  readonly deflate?: (records: Uint8Array) => Uint8Array;
}
