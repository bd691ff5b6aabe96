import { show } from '../../base/show.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import { murmur2 } from '../../record/murmur2.ts';
import { utf8Bytes, writeUtf8 } from '../../record/utf8.ts';

/** The input of a partitioner. Key and value are encoded: bytes, or text that is sent as UTF-8. */
export interface PartitionerInput extends RecordParts {
  readonly topic: string;
  /** The number of partitions of the topic. */
  readonly partitions: number;
}

/** Chooses the partition, from 0 to `partitions` - 1, of a record that does not name one. */
export type Partitioner = (record: PartitionerInput) => number;

let scratch = new Uint8Array(0);

/**
 * The partition of a key, as in Kafka's `BuiltInPartitioner`: Java's murmur2 of the key's bytes.
 */
export function keyPartition(key: Uint8Array | string, partitions: number): number {
  let hash: number;
  if (typeof key === 'string') {
    const size = utf8Bytes(key);
    if (scratch.length < size) scratch = new Uint8Array(Math.max(size, 256));
    writeUtf8(scratch, 0, key, size);
    hash = murmur2(scratch, size);
  } else {
    hash = murmur2(key);
  }
  return (hash & 0x7fff_ffff) % partitions;
}

/** Throws a `RangeError` unless the topic has the partition. */
export function checkPartition(topic: string, partition: unknown, partitions: number): void {
  if (
    Number.isInteger(partition) &&
    (partition as number) >= 0 &&
    (partition as number) < partitions
  ) {
    return;
  }
  throw new RangeError(
    `the topic '${topic}' has the partitions 0 to ${partitions - 1}, and none ${show(partition)}`,
  );
}

/**
 * Kafka's sticky partitioner, for records without a key (KIP-480). The records go to one partition
 * until a batch of it is sealed, then to another partition, so batches fill instead of spreading.
 */
export class StickyPartition {
  readonly #random: () => number;
  #partition: number | undefined;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(partitions: number): number {
    this.#partition ??= Math.floor(this.#random() * partitions);
    return Math.min(this.#partition, partitions - 1);
  }

  /** Moves on to another partition after a batch of `partition` was sealed. */
  moveFrom(partition: number, partitions: number): void {
    if (this.#partition !== partition || partitions < 2) return;
    const step = 1 + Math.floor(this.#random() * (partitions - 1));
    this.#partition = (partition + step) % partitions;
  }
}
