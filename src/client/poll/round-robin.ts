import type { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';

/** A message or an undecodable record, and its partition's reader. */
export interface PolledRecord {
  readonly message: Message | Undecodable;
  readonly reader: PartitionReader;
}

/** Polls the partitions in turn, so that a full partition does not keep out the others. */
export class RoundRobin {
  readonly #readers: readonly PartitionReader[];
  readonly #turnLength: number;
  /** The index of the reader whose turn it is. */
  #current = 0;
  /** The number of messages left in the turn. */
  #left: number;

  /** `turnLength`: the number of messages of one partition before the next one's turn. */
  constructor(readers: readonly PartitionReader[], turnLength: number) {
    this.#readers = readers;
    this.#turnLength = turnLength;
    this.#left = turnLength;
  }

  /** Whether the turn of the current partition is over. */
  get isTurnOver(): boolean {
    return this.#left === 0;
  }

  /**
   * The next buffered message, of a partition that `accepts`; `undefined` where there is none.
   * Throws the error that stopped a partition.
   */
  poll(accepts?: (reader: PartitionReader) => boolean): PolledRecord | undefined {
    const current = this.#readers[this.#current];
    if (this.#left > 0 && current !== undefined && accepts?.(current) !== false) {
      this.#left--;
      const message = current.next();
      if (message !== undefined) return { message, reader: current };
    }
    this.#left = 0;
    for (let left = this.#readers.length; left > 0; left--) {
      // Moved on before `next()` may throw: a stopped partition does not keep out those after it.
      this.#current = (this.#current + 1) % this.#readers.length;
      const reader = this.#readers[this.#current]!;
      if (accepts?.(reader) === false) continue;
      const message = reader.next();
      if (message === undefined) continue;
      this.#left = this.#turnLength - 1;
      return { message, reader };
    }
    return undefined;
  }
}
