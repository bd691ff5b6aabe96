import { murmur2 } from '../record/murmur2.ts';
import type { Undecodable } from './decode-record.ts';
import type { Handed } from './hold.ts';
import type { Message, MessageBatch } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import type { RawRecord } from './raw-record.ts';

/** Stored records of one partition, and the claim of the messages in the application's hands. */
export interface HandedRecords {
  readonly reader: PartitionReader;
  /** In order of offsets; at least one. */
  readonly records: readonly RawRecord[];
  /** The group's record of the messages in hand; `undefined` without a group. */
  readonly handed: Handed | undefined;
}

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
  /** Jobs of one lane run one after the other. */
  readonly lane: string;
}

/**
 * The lane of a record: records of one key in one partition stay in order, and so do those without
 * a key.
 */
export function laneOf({ source }: PartitionReader, { key }: RawRecord): string {
  return `${source.idPrefix}${key === null ? 'none' : murmur2(key)}`;
}

export function endJob({ reader, handed }: Job, how: 'processed' | 'dropped'): void {
  if (handed !== undefined) reader.hold!.end(handed, how);
}
