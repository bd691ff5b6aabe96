import type { TopicIdPartition } from '../base/topic-id-partition.ts';
import type { ErrorCode } from '../base/error-rule.ts';

/** Asks for the check of some rows of a partition: of the first ones, or of those at `cursor`. */
export interface ScrubRequest extends TopicIdPartition {
  readonly cursor: ScrubCursor | null;
}

/** The place at which the check of a partition goes on. The client passes it back as it is. */
export interface ScrubCursor {
  /** The offset of the first record that is not checked yet. */
  readonly offset: number;
  /** The end offset at the first check: what is appended meanwhile is not waited for. */
  readonly until: number;
  /** The head's count of rewrites at the check before: another count means other rows. */
  readonly rewrites: number;
  /** The rows so far, to be compared with the head's totals; null: they were changed meanwhile. */
  readonly seen: SeenRows | null;
}

export interface SeenRows {
  readonly rows: number;
  readonly bytes: number;
}

/** The result of the check of some rows. */
export interface ScrubbedRows {
  /** Whole batches, records and bytes of batches without a fault. */
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  readonly faults: readonly FoundFault[];
  /** null: the partition is checked up to its end. */
  readonly next: ScrubCursor | null;
}

/** A fault of stored rows. */
export interface FoundFault {
  /** The first offset at fault; null: the fault is of a row without records. */
  readonly from: number | null;
  /** The offset after the last one at fault. */
  readonly to: number | null;
  readonly code: ErrorCode;
  /** The fault and the next step, as text. */
  readonly message: string;
}
