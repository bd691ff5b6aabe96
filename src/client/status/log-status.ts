import type { TablogError } from '../../base/error.ts';

/**
 * Something that happened by itself in a log, as this tab noticed it: no call of the application
 * asked for it. Told apart by `type`.
 */
export type LogStatus =
  | WorkerLost
  | WorkerUnavailable
  | WorkerConnected
  | StorageUnavailable
  | StorageFull
  | StorageAvailable
  | RecordsLost
  | OffsetReset
  | PartitionsAssigned
  | PartitionsRevoked
  | PartitionsLost
  | SlowHandler
  | TopicMissing
  | LogDeleted
  | StatusesDropped;

/** A status without the time, as the code that notices it tells it. */
export type UntimedStatus = Untimed<LogStatus>;

type Untimed<Status> = Status extends LogStatus ? Omit<Status, 'timestamp'> : never;

interface StatusOf<Type extends string> {
  readonly type: Type;
  /** When this tab noticed it, in milliseconds since 1970. */
  readonly timestamp: number;
}

/**
 * The worker of the log is gone, or is left because it does not answer. Calls under way are sent to
 * another worker, or reject with `OUTCOME_UNKNOWN`. The next call starts the other worker.
 */
export interface WorkerLost extends StatusOf<'workerLost'> {
  /** 'died': its lock is free. 'silent': it has not answered a call for some 10 s. */
  readonly reason: 'died' | 'silent';
}

/** No worker can be started. Told once for each `error.code` until a worker is connected. */
export interface WorkerUnavailable extends StatusOf<'workerUnavailable'> {
  /** `WORKER_FAILED`; `PROTOCOL_MISMATCH` where the page has to be reloaded after a release. */
  readonly error: TablogError;
}

/** A worker serves this tab again, after `workerLost` or `workerUnavailable`. */
export interface WorkerConnected extends StatusOf<'workerConnected'> {
  /** How often a worker was asked for, this time included. */
  readonly attempts: number;
}

/**
 * The storage refuses what this tab asks of it, or does not answer. What can be repeated is
 * repeated until it is back. Told once for each `error.code` until `storageAvailable`.
 */
export interface StorageUnavailable extends StatusOf<'storageUnavailable'> {
  /**
   * `STORAGE_UNAVAILABLE`, `STORAGE_TIMEOUT`, `STORAGE_BLOCKED`, `NO_INDEXEDDB` or
   * `FORMAT_TOO_NEW`.
   */
  readonly error: TablogError;
}

/** The browser has no room for more: records are refused until something was freed. */
export interface StorageFull extends StatusOf<'storageFull'> {
  /** `STORAGE_FULL`. */
  readonly error: TablogError;
}

/**
 * The storage answers again after `storageUnavailable`, or takes records again after `storageFull`:
 * a call that was made since has succeeded.
 */
export interface StorageAvailable extends StatusOf<'storageAvailable'> {}

/**
 * Stored records are gone or damaged, and a consumer stops before them until it seeks past them.
 */
export interface RecordsLost extends StatusOf<'recordsLost'> {
  readonly topic: string;
  readonly partition: number;
  /** The offset at which the consumer stopped. */
  readonly offset: number;
  /** `LOG_CORRUPT` or `BATCH_CORRUPT`, with the range of offsets in its details. */
  readonly error: TablogError;
}

/**
 * The next offset of a consumer did not exist, and it went on elsewhere: retention or
 * `deleteRecords` was faster than the consumer, or a worker took the records of a topic in memory
 * along.
 */
export interface OffsetReset extends StatusOf<'offsetReset'> {
  /** The group of the consumer; `undefined` without one. */
  readonly group: string | undefined;
  readonly memberId: string | undefined;
  readonly topic: string;
  readonly partition: number;
  /** The offset that did not exist: the group's committed one, or the consumer's. */
  readonly outOfRange: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** The offset at which the consumer goes on. */
  readonly offset: number;
}

interface PartitionsOf<Type extends string> extends StatusOf<Type> {
  readonly group: string;
  readonly memberId: string;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

/** A rebalance gave partitions to a consumer of this tab (Kafka's `onPartitionsAssigned`). */
export interface PartitionsAssigned extends PartitionsOf<'partitionsAssigned'> {}

/**
 * A consumer of this tab gives up partitions, with nothing of them in hand (Kafka's
 * `onPartitionsRevoked`).
 */
export interface PartitionsRevoked extends PartitionsOf<'partitionsRevoked'> {}

/**
 * The group took partitions from a consumer of this tab, because it did not answer or did not
 * release them in time (Kafka's `onPartitionsLost`). Its commits of them are `FENCED`, and what was
 * in hand comes again at another member.
 */
export interface PartitionsLost extends PartitionsOf<'partitionsLost'> {}

/**
 * The application has had a message or batch for half of the consumer's `rebalanceTimeoutMs`, and
 * for each further half. A partition moves once nothing of it is in hand; the group removes a
 * member that needs longer than `rebalanceTimeoutMs` for that, and its commits are `FENCED`.
 */
export interface SlowHandler extends StatusOf<'slowHandler'> {
  readonly group: string;
  readonly memberId: string;
  readonly topic: string;
  readonly partition: number;
  /** The offset of the message; of a batch, its first. */
  readonly offset: number;
  /** How long the application has had it so far, in milliseconds. */
  readonly elapsedMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Whether another member waits for the partition now, so that the time to be removed runs. */
  readonly isRevoked: boolean;
}

/**
 * A consumer waits for a topic that does not exist, a second after it was made: its name may be
 * misspelt. Told once a topic; on the console as well, unless the log has a `logger`.
 */
export interface TopicMissing extends StatusOf<'topicMissing'> {
  readonly topic: string;
}

/**
 * The log is gone: `deleteLog()` was called in some tab, the user cleared the site's data, or the
 * browser evicted it. The last status. The next `openLog()` makes a new, empty log of the name;
 * offsets that groups committed before do not count in it.
 */
export interface LogDeleted extends StatusOf<'logDeleted'> {
  /** `CLOSED`, with `details.reason` 'deleted'. */
  readonly error: TablogError;
}

/** Nobody took the statuses of this iterator for so long that it dropped the oldest. */
export interface StatusesDropped extends StatusOf<'statusesDropped'> {
  readonly count: number;
}
