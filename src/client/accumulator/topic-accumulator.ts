import type { Delivery } from '../connection/delivery.ts';
import { INVALID_RECORD } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { recordTooLarge } from '../../record/batch-error.ts';
import { maxRecordBytes, payloadBytes } from '../../record/batch-writer.ts';
import type { Field, RecordParts } from '../../record/batch-writer.ts';
import { PartitionAccumulator } from './partition-accumulator.ts';
import type { SealedBatch } from './partition-accumulator.ts';
import { StickyPartition, checkPartition, keyPartition } from './partitioner.ts';
import type { Partitioner } from './partitioner.ts';
import { BatchSequencer } from './batch-sequencer.ts';
import { withIndex } from './record-index.ts';

/** A record on its way into an accumulator. */
export interface OutgoingRecord {
  readonly parts: RecordParts;
  /** The partition that the caller named; `undefined`: the partitioner chooses. */
  readonly partition: number | undefined;
  /** The only offset at which the record may be stored; null: the end of the partition. */
  readonly expectedOffset: number | null;
  /** The most bytes that the record can take in a batch. */
  readonly size: number;
}

export function outgoing(
  parts: RecordParts,
  partition: number | undefined,
  expectedOffset: number | null = null,
): OutgoingRecord {
  return { parts, partition, expectedOffset, size: maxRecordBytes(parts) };
}

/** The record with copies of its bytes, for a record that is not written to a batch at once. */
export function withOwnBytes({ parts, ...rest }: OutgoingRecord): OutgoingRecord {
  // In Node, `Buffer.slice` makes a view, not a copy.
  const own = (field: Field): Field =>
    typeof field === 'string' || field === null ? field : new Uint8Array(field);
  const headers = parts.headers.map(([name, value]) => [name, own(value)] as const);
  return { ...rest, parts: { ...parts, key: own(parts.key), value: own(parts.value), headers } };
}

export interface TopicAccumulatorOptions {
  readonly batchBytes: number;
  readonly partitioner: Partitioner | undefined;
  readonly random: () => number;
  readonly newDelivery: (sentAt: number) => Delivery;
  /** The id of an idempotent producer; `undefined` for other producers. */
  readonly producerId: number | undefined;
  readonly onSealed: (batch: SealedBatch) => void;
}

/** The accumulators of one topic, by partition, and the choice of a partition for each record. */
export class TopicAccumulator {
  readonly #options: TopicAccumulatorOptions;
  readonly #accumulators: PartitionAccumulator[] = [];
  readonly #sticky: StickyPartition;
  #topic: TopicInfo;

  constructor(topic: TopicInfo, options: TopicAccumulatorOptions) {
    this.#options = options;
    this.#topic = topic;
    this.#sticky = new StickyPartition(options.random);
    this.update(topic);
  }

  get topicId(): string {
    return this.#topic.id;
  }

  /** Updates the topic, which has more partitions or another configuration. */
  update(topic: TopicInfo): void {
    this.#topic = topic;
    const { batchBytes, newDelivery, producerId, onSealed } = this.#options;
    for (let partition = this.#accumulators.length; partition < topic.partitions; partition++) {
      const sealed = (batch: SealedBatch): void => {
        this.#sticky.moveFrom(partition, this.#topic.partitions);
        onSealed(batch);
      };
      const sequence =
        producerId === undefined ? undefined : new BatchSequencer({ id: producerId, epoch: 0 });
      const options = { topic, partition, batchBytes, newDelivery, sequence, onSealed: sealed };
      this.#accumulators.push(new PartitionAccumulator(options));
    }
  }

  /**
   * Throws a `RangeError` for a partition that does not exist, `INVALID_RECORD`, or
   * `RECORD_TOO_LARGE`.
   */
  check({ parts, partition, size }: OutgoingRecord): void {
    const { name, partitions, config } = this.#topic;
    if (partition !== undefined) checkPartition(name, partition, partitions);
    if (parts.key === null && config.cleanup !== 'delete') throw keyMissing(name);
    if (size <= config.maxRecordBytes) return;
    const bytes = payloadBytes(parts);
    if (bytes > config.maxRecordBytes) throw recordTooLarge(bytes, config.maxRecordBytes);
  }

  /** Whether `check` would accept the record. */
  accepts(record: OutgoingRecord): boolean {
    try {
      this.check(record);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The records, checked, with the partitions that a custom partitioner chooses. Throws as `check`
   * and `assign` do, before any record is taken.
   */
  prepare(records: readonly OutgoingRecord[]): readonly OutgoingRecord[] {
    let i = 0;
    try {
      for (; i < records.length; i++) this.check(records[i]!);
    } catch (error) {
      throw withIndex(error, i, records.length);
    }
    const isCustom = this.#options.partitioner !== undefined;
    return isCustom ? records.map((record) => this.assign(record)) : records;
  }

  /**
   * A checked record with the partition that a custom partitioner chooses. Throws the error that
   * the partitioner throws, or a `RangeError`.
   */
  assign(record: OutgoingRecord): OutgoingRecord {
    const { partitioner } = this.#options;
    if (partitioner === undefined || record.partition !== undefined) return record;
    const { name, partitions } = this.#topic;
    const partition = partitioner({ ...record.parts, topic: name, partitions });
    checkPartition(name, partition, partitions);
    return { ...record, partition };
  }

  /** The accumulator of a record that was checked and assigned. */
  choose({ parts, partition }: OutgoingRecord): PartitionAccumulator {
    if (partition !== undefined) return this.#accumulators[partition]!;
    const { partitions } = this.#topic;
    const { key } = parts;
    const chosen = key === null ? this.#sticky.choose(partitions) : keyPartition(key, partitions);
    return this.#accumulators[chosen]!;
  }

  /** The accumulator of a partition. Throws a `RangeError` for a partition that does not exist. */
  of(partition: number): PartitionAccumulator {
    checkPartition(this.#topic.name, partition, this.#topic.partitions);
    return this.#accumulators[partition]!;
  }
}

function keyMissing(topic: string): TablogError {
  return new TablogError(
    INVALID_RECORD,
    `the topic '${topic}' is compacted, and the record has no key`,
    {
      details: { topic },
    },
  );
}
