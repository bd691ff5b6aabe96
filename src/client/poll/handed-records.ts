import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { Handed } from '../message/partition-progress.ts';
import type { RawRecord } from '../message/raw-record.ts';

/** Stored records of one partition, and the claim of the messages in the application's hands. */
export interface HandedRecords {
  readonly reader: PartitionReader;
  /** In order of offsets; at least one. */
  readonly records: readonly RawRecord[];
  /** The group's record of the messages in hand; `undefined` without a group. */
  readonly handed: Handed | undefined;
}
