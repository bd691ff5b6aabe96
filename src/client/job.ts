import { murmur2 } from '../record/murmur2.ts';
import type { Undecodable } from './decode-record.ts';
import type { Handed } from './hold.ts';
import type { Message, MessageBatch } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import type { RawRecord } from './raw-record.ts';

/** Records of one partition as they are stored, and what the application has of them. */
export interface HandedRecords {
  readonly reader: PartitionReader;
  /** In order, at least one. */
  readonly records: readonly RawRecord[];
  /** Where the consumer has a group. */
  readonly handed: Handed | undefined;
}

/** A message, or a batch of them, on its way through its handler. */
export interface Job extends HandedRecords {
  /** The handler's argument; of a record that cannot be decoded, that of `onError`. */
  readonly subject: Message | MessageBatch;
  /** No handler is called. */
  readonly undecodable: Undecodable | undefined;
  /** A dead letter that the consumer does not handle: it counts as processed. */
  readonly isPassedOver: boolean;
  readonly offset: number;
  /** The reader's when the first message was taken: a seek makes it another. */
  readonly epoch: number;
  /** Jobs of one lane come one after the other. */
  readonly lane: string;
}

/** Messages of one key in one partition have to stay in order, and so have those without a key. */
export function laneOf({ source }: PartitionReader, { key }: RawRecord): string {
  return `${source.idPrefix}${key === null ? 'none' : murmur2(key)}`;
}

export function endJob({ reader, handed }: Job, how: 'processed' | 'dropped'): void {
  if (handed !== undefined) reader.hold!.end(handed, how);
}
