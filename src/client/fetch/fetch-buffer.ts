import { wholeBatchBytes } from '../../record/batch-length.ts';

/**
 * The fetched batches of a partition that are not read yet (Kafka's `CompletedFetch`): whole
 * batches, end to end.
 */
export class FetchBuffer {
  #segments: Uint8Array[] = [];
  /** The index in the first segment at which the next batch begins. */
  #at = 0;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  add(segments: readonly ArrayBuffer[]): void {
    for (const segment of segments) {
      this.#segments.push(new Uint8Array(segment));
      this.#byteLength += segment.byteLength;
    }
  }

  /** Takes the next batch, a view into its segment. Throws `BATCH_CORRUPT`. */
  take(): Uint8Array | undefined {
    for (let [segment] = this.#segments; segment !== undefined; [segment] = this.#segments) {
      const size = wholeBatchBytes(segment, this.#at);
      if (size !== undefined) {
        const batch = segment.subarray(this.#at, this.#at + size);
        this.#at += size;
        this.#byteLength -= size;
        return batch;
      }
      this.#segments.shift();
      this.#at = 0;
    }
    return undefined;
  }

  clear(): void {
    this.#segments = [];
    this.#at = 0;
    this.#byteLength = 0;
  }
}
