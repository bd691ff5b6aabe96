import type { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';

/** A message or an undecodable record, and its partition's reader. */
export interface PolledRecord {
  readonly message: Message | Undecodable;
  readonly reader: PartitionReader;
}

/** Takes messages from the partitions in turn, so that a full one does not keep out the others. */
export class RoundRobin {
  readonly #readers: readonly PartitionReader[];
  readonly #length: number;
  #turn = 0;
  #left: number;

  /** `length`: how many messages a partition gets before the next one's turn. */
  constructor(readers: readonly PartitionReader[], length: number) {
    this.#readers = readers;
    this.#length = length;
    this.#left = length;
  }

  /** Whether the next message is of another partition than the last. */
  get isPassing(): boolean {
    return this.#left === 0;
  }

  /** The next message that is at hand, of a partition that `accepts`. Throws what stopped one. */
  poll(accepts?: (reader: PartitionReader) => boolean): PolledRecord | undefined {
    const current = this.#readers[this.#turn];
    if (this.#left > 0 && current !== undefined && accepts?.(current) !== false) {
      this.#left--;
      const message = current.next();
      if (message !== undefined) return { message, reader: current };
    }
    this.#left = 0;
    for (let left = this.#readers.length; left > 0; left--) {
      // Also where it throws: the next look begins with the partition after it.
      this.#turn = (this.#turn + 1) % this.#readers.length;
      const reader = this.#readers[this.#turn]!;
      if (accepts?.(reader) === false) continue;
      const message = reader.next();
      if (message === undefined) continue;
      this.#left = this.#length - 1;
      return { message, reader };
    }
    return undefined;
  }
}
