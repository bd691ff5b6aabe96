import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { MessageDelivery } from '../message/pending-commit.ts';
import type { RawRecord } from '../message/raw-record.ts';

/** Records of one partition that were delivered to the application, as stored. */
export interface DeliveredRecords {
  readonly reader: PartitionReader;
  /** In order of offsets; at least one. */
  readonly records: readonly RawRecord[];
  /** The delivery in the member's progress; `undefined` without a group. */
  readonly delivery: MessageDelivery | undefined;
}
