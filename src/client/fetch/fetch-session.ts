import type { PartitionReader } from './partition-reader.ts';

/** The broker's list of partitions that wait on behalf of this consumer (KIP-227). */
export class FetchSession {
  readonly id: number;
  #epoch = 0;
  /** The partitions on the list, with the offset that each was asked for. */
  readonly asked = new Map<PartitionReader, number>();

  constructor(id: number) {
    this.id = id;
  }

  /** The number of the session's fetches before this one. */
  nextEpoch(): number {
    return this.#epoch++;
  }
}
