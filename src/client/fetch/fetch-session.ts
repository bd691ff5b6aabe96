import type { PartitionReader } from './partition-reader.ts';

/** A fetch session (KIP-227): the broker's list of partitions for which this consumer waits. */
export class FetchSession {
  readonly id: number;
  #epoch = 0;
  /** The partitions on the list, with the fetch offset of each. */
  readonly fetchOffsets: Map<PartitionReader, number> = new Map();

  constructor(id: number) {
    this.id = id;
  }

  /** The number of the session's fetches before this one. */
  nextEpoch(): number {
    return this.#epoch++;
  }
}
