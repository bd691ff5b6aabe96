import { murmur2 } from '../../record/murmur2.ts';
import type { Undecodable } from '../message/decode-record.ts';
import type { DeliveredRecords } from '../poll/delivered-records.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { RawRecord } from '../message/raw-record.ts';

/** A message or batch on its way through its handler. */
export interface WorkItem extends DeliveredRecords {
  /** The argument of the handler; for an undecodable record, the argument of `onError`. */
  readonly subject: Message | MessageBatch;
  /** The decoding error of an undecodable record, for which no handler is called. */
  readonly undecodable: Undecodable | undefined;
  /**
   * Whether the item is a dead letter in a topic that the consumer reads by a pattern. Such an item
   * counts as processed, and no handler is called.
   */
  readonly isPassedOver: boolean;
  /** The offset of the first record. */
  readonly offset: number;
  /** The reader's `seekVersion` when the first record was polled. */
  readonly seekVersion: number;
  /** Items with the same key are handled one after the other. */
  readonly shardKey: string;
}

/** How a work item ends: processed, or dropped, so that its messages are delivered again. */
export type ItemEnd = 'processed' | 'dropped';

/**
 * The shard key by which records of one key stay in order within a partition, like the ordering KEY
 * of Confluent's Parallel Consumer. Records without a key share one shard.
 */
export function keyShard({ source }: PartitionReader, { key }: RawRecord): string {
  return `${source.idPrefix}${key === null ? 'none' : murmur2(key)}`;
}

/** The shard key by which all records of a partition stay in order (ordering PARTITION). */
export function partitionShard({ source }: PartitionReader): string {
  return source.idPrefix;
}

/** Reports the end of an item to the group member's progress. */
export function endItem({ reader, delivery }: WorkItem, end: ItemEnd): void {
  if (delivery === undefined) return;
  if (end === 'processed') reader.progress!.finish(delivery);
  else reader.progress!.drop(delivery);
}
