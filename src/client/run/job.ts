import { murmur2 } from '../../record/murmur2.ts';
import type { Undecodable } from '../message/decode-record.ts';
import type { HandedRecords } from '../poll/handed-records.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { RawRecord } from '../message/raw-record.ts';

/** A message or batch on its way through its handler. */
export interface Job extends HandedRecords {
  /** The handler's argument; for an undecodable record, `onError`'s. */
  readonly subject: Message | MessageBatch;
  /** The decoding error of a record that cannot be decoded: no handler is called. */
  readonly undecodable: Undecodable | undefined;
  /**
   * Whether the job is a dead letter that the consumer reads by a pattern: it counts as processed.
   */
  readonly isPassedOver: boolean;
  readonly offset: number;
  /** The reader's epoch when the first message was taken; a seek changes the reader's. */
  readonly epoch: number;
  /** Jobs of one shard run one after the other. */
  readonly shard: string;
}

/**
 * The shard of a record: records of one key in one partition stay in order, and so do those without
 * a key.
 */
export function shardOf({ source }: PartitionReader, { key }: RawRecord): string {
  return `${source.idPrefix}${key === null ? 'none' : murmur2(key)}`;
}

export function endJob({ reader, handed }: Job, how: 'processed' | 'dropped'): void {
  if (handed !== undefined) reader.progress!.end(handed, how);
}
