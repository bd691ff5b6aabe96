import { checkArray, checkBoolean, checkInteger } from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';

export interface StorageDescription {
  /** Made with the database: another one means that the log was lost or cleared since. */
  readonly logId: string;
  /** When the log was made, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Bytes of all records of this log, as stored. */
  readonly logBytes: number;
  /** Beyond which the oldest records go; null: no bound. See `alterLog`. */
  readonly maxLogBytes: number | null;
  /** Bytes that the whole origin uses, as the browser tells; `undefined` where it does not. */
  readonly usageBytes: number | undefined;
  /**
   * `false`: the browser may delete the origin's data when it runs short of room. Ask for
   * persistence with `navigator.storage.persist()`, from a user's gesture.
   */
  readonly persisted: boolean;
}

/** The records of a partition before an offset; 'latest': all that there are now. */
export interface RecordsToDelete {
  readonly partition: number;
  readonly before: number | 'latest';
}

export interface CreateTopicsOptions {
  /**
   * The version of the application's topics, as IndexedDB numbers a database's schema: raise it
   * with each release that changes an option or the number of partitions.
   *
   * A topic last created or changed by a lower version is brought in line, in the same transaction:
   * the options that are named are set, and partitions added. A topic of a higher version is kept
   * as it is, so a tab of an older release undoes nothing. A topic of the same version that differs
   * is `TOPIC_EXISTS`. So is, at any version, a change that no topic can make: fewer partitions, or
   * another `storage`.
   *
   * An integer of at least 1. Default: none, which is below all others. Leave it out while topics
   * never change.
   */
  readonly version?: number;
}

export interface AlterLogOptions {
  /**
   * Bytes of all topics on disk together, beyond which the oldest records go, of the largest partition
   * first, which may be emptied by it; but none of topics with 'compact' alone, and none that are
   * protected. Whole rows go, so less than one row more may stay. null: no bound, which is how a log
   * begins.
   */
  readonly maxBytes?: number | null;
}

export interface ResetOffsetsOptions {
  /** Default: all of the topic. */
  readonly partitions?: readonly number[];
  /**
   * Also while the group has members: they lose the partitions, get them back, and go on from there.
   * Default false.
   */
  readonly force?: boolean;
}

export const CREATE_CHECKS: Checks<CreateTopicsOptions> = {
  version: (name, value) => checkInteger(name, value, 1),
};

export const RESET_CHECKS: Checks<ResetOffsetsOptions> = {
  partitions: (_, value) => {
    checkArray('resetOffsets() takes an array of partitions', value);
    for (const partition of value) checkInteger('partition', partition, 0);
  },
  force: checkBoolean,
};
