import type { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';

/** A polled message, and the reader of its partition. */
export interface Polled<T> {
  readonly message: T;
  readonly reader: PartitionReader;
}

/** A message or an undecodable record. */
export type PolledRecord = Polled<Message | Undecodable>;

/** Polls the partitions in turn, so that a full partition does not starve the others. */
export class RoundRobin<T = Message | Undecodable> {
  readonly #readers: readonly PartitionReader[];
  readonly #turnLength: number;
  readonly #next: (reader: PartitionReader) => T | undefined;
  /** The index of the reader whose turn it is. */
  #current = 0;
  /** The number of messages left in the turn. */
  #left: number;

  /**
   * `turnLength`: the number of messages of one partition before the next partition's turn. `next`:
   * polls a reader, by default for messages.
   */
  constructor(
    readers: readonly PartitionReader[],
    turnLength: number,
    next = (reader: PartitionReader) => reader.next() as T | undefined,
  ) {
    this.#readers = readers;
    this.#turnLength = turnLength;
    this.#next = next;
    this.#left = turnLength;
  }

  /** Whether the turn of the current partition is over. */
  get isTurnOver(): boolean {
    return this.#left === 0;
  }

  /**
   * The next buffered message, of a partition that `accepts` allows; `undefined` where there is
   * none. Throws the error that stopped a partition.
   */
  poll(accepts?: (reader: PartitionReader) => boolean): Polled<T> | undefined {
    const current = this.#readers[this.#current];
    if (this.#left > 0 && current !== undefined && accepts?.(current) !== false) {
      this.#left--;
      const message = this.#next(current);
      if (message !== undefined) return { message, reader: current };
    }
    this.#left = 0;
    for (let left = this.#readers.length; left > 0; left--) {
      // The turn moves on before `next()` may throw, so that a stopped partition does not starve
      // those after it.
      this.#current = (this.#current + 1) % this.#readers.length;
      const reader = this.#readers[this.#current]!;
      if (accepts?.(reader) === false) continue;
      const message = this.#next(reader);
      if (message === undefined) continue;
      this.#left = this.#turnLength - 1;
      return { message, reader };
    }
    return undefined;
  }
}
