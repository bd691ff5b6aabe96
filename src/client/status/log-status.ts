import type { TablogError } from '../../base/error.ts';

/**
 * An event of a log that this tab noticed, and that no call of the application caused. A union,
 * discriminated by `type`.
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
  | LogReset
  | LogDeleted
  | PlatformLimited
  | StatusesDropped;

/** A status without its `timestamp`, which the observation adds. */
export type UntimedStatus = Untimed<LogStatus>;

type Untimed<Status> = Status extends LogStatus ? Omit<Status, 'timestamp'> : never;

interface StatusOf<Type extends string> {
  readonly type: Type;
  /** The time at which this tab noticed the event, in milliseconds since 1970. */
  readonly timestamp: number;
}

/**
 * The tab lost the worker of the log, because the worker died, does not answer, or takes this tab
 * for dead. Calls in flight are sent again, or reject with `OUTCOME_UNKNOWN`. The next call connects
 * to a worker.
 */
export interface WorkerLost extends StatusOf<'workerLost'> {
  /**
   * 'died': the worker's liveness lock was released. 'silent': the worker did not answer a call for
   * about 10 s. 'interrupted': the page was in the back/forward cache, or the browser took the tab's
   * own liveness lock away; the worker may be well.
   */
  readonly reason: 'died' | 'silent' | 'interrupted';
}

/** No worker can be started. Emitted once for each `error.code` until a worker is connected. */
export interface WorkerUnavailable extends StatusOf<'workerUnavailable'> {
  /** `WORKER_FAILED`; `PROTOCOL_MISMATCH` where the page has to be reloaded after a release. */
  readonly error: TablogError;
}

/** A worker serves this tab again, after `workerLost` or `workerUnavailable`. */
export interface WorkerConnected extends StatusOf<'workerConnected'> {
  /** The number of attempts to connect to a worker, the successful one included. */
  readonly attempts: number;
}

/**
 * The storage fails the requests of this tab, or does not answer. Repeatable calls are retried
 * until the storage is available. Emitted once for each `error.code` until `storageAvailable`.
 */
export interface StorageUnavailable extends StatusOf<'storageUnavailable'> {
  /**
   * `STORAGE_UNAVAILABLE`, `STORAGE_TIMEOUT`, `STORAGE_BLOCKED`, `NO_INDEXEDDB` or
   * `FORMAT_TOO_NEW`.
   */
  readonly error: TablogError;
}

/** The origin's storage quota is exhausted: records are refused until storage is freed. */
export interface StorageFull extends StatusOf<'storageFull'> {
  /** `STORAGE_FULL`. */
  readonly error: TablogError;
}

/**
 * The storage answers again after `storageUnavailable`, or takes records again after `storageFull`:
 * a call that was made after the last failure has succeeded.
 */
export interface StorageAvailable extends StatusOf<'storageAvailable'> {}

/**
 * Stored records are missing or damaged. A consumer met them, and stops before these records until
 * a `seek` past them. Or `openLog` found the log shorter than a tab of this origin had seen it:
 * consumers will stop there, unless the topic itself was lost.
 */
export interface RecordsLost extends StatusOf<'recordsLost'> {
  readonly topic: string;
  readonly partition: number;
  /** The offset at which a consumer stops: the first lost offset. */
  readonly offset: number;
  /** `LOG_CORRUPT` or `BATCH_CORRUPT`, with the range of offsets in its details. */
  readonly error: TablogError;
}

/**
 * The next offset of a consumer was out of range, and the consumer went on at another offset
 * (Kafka's `auto.offset.reset`). Retention or `deleteRecords` removed records before the consumer
 * read them, or the records of a topic in memory died with their worker.
 */
export interface OffsetReset extends StatusOf<'offsetReset'> {
  /** The group of the consumer; `undefined` without one. */
  readonly group: string | undefined;
  readonly memberId: string | undefined;
  readonly topic: string;
  readonly partition: number;
  /** The offset that was out of range: the group's committed offset, or the consumer's position. */
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
 * A consumer of this tab releases partitions, with none of their messages in hand (Kafka's
 * `onPartitionsRevoked`).
 */
export interface PartitionsRevoked extends PartitionsOf<'partitionsRevoked'> {}

/**
 * The group took partitions from a consumer of this tab, because the consumer did not answer or did
 * not release the partitions in time (Kafka's `onPartitionsLost`). The consumer's commits of these
 * partitions are `FENCED`, and the messages in hand are delivered again to another member.
 */
export interface PartitionsLost extends PartitionsOf<'partitionsLost'> {}

/**
 * The application has had a message or batch in hand for half of the consumer's
 * `rebalanceTimeoutMs`. Emitted again after each further half. A partition moves to another member
 * when none of its messages is in hand. The group removes a member that needs longer than
 * `rebalanceTimeoutMs` to release a partition, and the member's commits are then `FENCED`.
 */
export interface SlowHandler extends StatusOf<'slowHandler'> {
  readonly group: string;
  readonly memberId: string;
  readonly topic: string;
  readonly partition: number;
  /** The offset of the message; of a batch, the offset of its first message. */
  readonly offset: number;
  /** How long the application has had the message or batch so far, in milliseconds. */
  readonly elapsedMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Whether another member waits for the partition, so that `rebalanceTimeoutMs` is running. */
  readonly isRevoked: boolean;
}

/**
 * A consumer waits for a topic that does not exist, a second after the consumer was made: the
 * topic's name may be misspelt. Emitted once for each topic; written to the console as well, unless
 * the log has a `logger`.
 */
export interface TopicMissing extends StatusOf<'topicMissing'> {
  readonly topic: string;
}

/**
 * The log that `openLog` opened is not the one that tabs of this origin had open before: its data
 * was evicted, cleared or lost while no tab had it open, or its database could not be opened and
 * was set aside (`onUnrecoverable: 'recreate'`). The log began anew at offset 0, without the groups
 * and offsets of the lost log. Told to the first tab that opens the new log. Tabs keep the log's id
 * in localStorage; without one (`inline()`, blocked site data), a loss is noticed only where the
 * browser tells of it, as Chromium does when it has deleted damaged databases of the origin.
 */
export interface LogReset extends StatusOf<'logReset'> {
  /** The id of the lost log; `undefined`: it is not known. */
  readonly previousLogId: string | undefined;
  /** The id of the new log, as in `log.admin.describeLog()`. */
  readonly logId: string;
  /**
   * The name of the database of the lost log, where it was set aside: an application can try to
   * save something of it, and `indexedDB.deleteDatabase(name)` frees its room. `undefined`: nothing
   * is left.
   */
  readonly setAside: string | undefined;
}

/**
 * The log was deleted: a tab called `deleteLog()`, the user cleared the site's data, or the browser
 * evicted the data. No status follows. The next `openLog()` creates a new, empty log of the same
 * name, in which earlier committed offsets do not count.
 */
export interface LogDeleted extends StatusOf<'logDeleted'> {
  /** `CLOSED`, with `details.reason` 'deleted'. */
  readonly error: TablogError;
}

/**
 * This context lacks what the threads of a log know each other by, and less is promised. What is
 * acknowledged stays acknowledged, in the same order. Emitted first, once for each thing that is
 * missing; not with `inline({ storage: 'memory' })`, where one thread has everything.
 */
export interface PlatformLimited extends StatusOf<'platformLimited'> {
  /**
   * 'locks' (Web Locks): a death is not noticed. A member of a group that is gone keeps its
   * partitions for its `sessionTimeoutMs`, and background work may be done twice at once. 'channels'
   * (BroadcastChannel): a record that another thread has stored is read up to `maxWaitMs` later,
   * and topics in memory of another thread are `STORAGE_UNAVAILABLE`.
   */
  readonly missing: 'locks' | 'channels';
}

/**
 * The application did not read this iterator for so long that the iterator dropped its oldest
 * statuses.
 */
export interface StatusesDropped extends StatusOf<'statusesDropped'> {
  readonly count: number;
}
