/**
 * Every code that a `TablogError` can carry: when it comes, and what it means for who catches it.
 * The names follow Kafka's where Kafka has one.
 */
export type ErrorCode =
  /**
   * The record's batch was not sent, because `signal` aborted; among the results of a `sendBatch`
   * whose other records are stored. Send it again if it is still wanted.
   */
  | 'ABORTED'
  /**
   * A stored or received record batch differs from what was written (CRC, structure). Reading stops
   * before it; `seek` past it goes on.
   */
  | 'BATCH_CORRUPT'
  /**
   * The handle was closed, or its log deleted (`details.reason` 'deleted'). End the loop: no later
   * call succeeds.
   */
  | 'CLOSED'
  /**
   * `expectedOffset` is not the next offset: somebody else has stored first. Read what came, and
   * decide anew.
   */
  | 'CONFLICT'
  /**
   * Another member has the partition, or another producer the transactional id. Drop what was in
   * hand: it is theirs.
   */
  | 'FENCED'
  /**
   * The worker does not know a fetch session. Consumers begin another one by themselves: an
   * application never gets it.
   */
  | 'FETCH_SESSION_ID_NOT_FOUND'
  /**
   * The log was written by a later release of tablog than this page's. Have the user reload the
   * page.
   */
  | 'FORMAT_TOO_NEW'
  /** A method of `log.admin` names a group that does not exist. Nothing was changed. */
  | 'GROUP_ID_NOT_FOUND'
  /** A consumer names another assignor than its group's members have. It has not joined. */
  | 'INCONSISTENT_GROUP_PROTOCOL'
  /**
   * A compressed batch inflates beyond the limit. Reading stops before it; `seek` past it goes on.
   */
  | 'INFLATED_TOO_LARGE'
  /**
   * A fault of tablog itself; `cause` has what was thrown. Nothing can be concluded of the call.
   */
  | 'INTERNAL'
  /**
   * Options of a topic exclude each other, or would move it between disk and memory. Nothing was
   * changed.
   */
  | 'INVALID_CONFIG'
  /**
   * A file given to `importPartition` is no Kafka log file, or a damaged one. Nothing was imported.
   */
  | 'INVALID_LOG_FILE'
  /** A record without a key was sent to a compacted topic. It was not stored. */
  | 'INVALID_RECORD'
  /**
   * A method of a transaction was called after the transaction's function had returned. It had no
   * effect.
   */
  | 'INVALID_TXN_STATE'
  /** The browser cannot list databases, so `listLogs` does not know the logs. */
  | 'LISTING_UNAVAILABLE'
  /**
   * A file of the page's own code did not load (`details.part`), or a codec's. The call had no
   * effect.
   */
  | 'LOAD_FAILED'
  /**
   * The context has no Web Locks: it is not secure, sandboxed, or has its site data blocked. The
   * log was not opened.
   */
  | 'LOCKS_UNAVAILABLE'
  /**
   * Stored data is missing or has lost its shape. Reading stops there, and its `details` say where;
   * the rest of the log goes on.
   */
  | 'LOG_CORRUPT'
  /** A living member of the group has the same `memberId`. The consumer has not joined. */
  | 'MEMBER_EXISTS'
  /**
   * The group has members, and what was asked for needs none. Close its consumers, or use `force`
   * where there is one.
   */
  | 'NON_EMPTY_GROUP'
  /**
   * The consumer does not have the partition now: a rebalance may have taken it. Look at
   * `consumer.assignment`.
   */
  | 'NOT_ASSIGNED'
  /** The context has no IndexedDB. Only a log in memory can be opened there. */
  | 'NO_INDEXEDDB'
  /** The context cannot start the kind of worker that `host` names. The log was not opened. */
  | 'NO_WORKER'
  /**
   * An offset to commit or to delete up to lies beyond the partition's end. Nothing was changed. A
   * consumer outside of the range is no error: it follows its `from`.
   */
  | 'OFFSET_OUT_OF_RANGE'
  /**
   * The answer was lost, and the call may have had its effect or not. Read back before you repeat
   * it.
   */
  | 'OUTCOME_UNKNOWN'
  /** A batch of an idempotent producer came without those before it. It was not stored. */
  | 'OUT_OF_ORDER_SEQUENCE'
  /** `importPartition` was given a partition that has had records. Nothing was imported. */
  | 'PARTITION_NOT_EMPTY'
  /**
   * The worker is of another release than the page, and they cannot talk. Have the user reload the
   * page's tabs.
   */
  | 'PROTOCOL_MISMATCH'
  /** A record exceeds the topic's `maxRecordBytes`. It was not stored. */
  | 'RECORD_TOO_LARGE'
  /**
   * A serde cannot decode a record; `details` say which, `cause` why. Reading stops before it,
   * unless `onDecodeError` decides otherwise.
   */
  | 'SERDE'
  /** Another tab keeps an older version of the database open. It passes when that tab closes. */
  | 'STORAGE_BLOCKED'
  /** The browser has no room for more. Nothing was stored; the call succeeds once there is room. */
  | 'STORAGE_FULL'
  /** The database did not answer in time. Nothing was stored; the call may succeed later. */
  | 'STORAGE_TIMEOUT'
  /**
   * The database was closed by the browser, or fails. Nothing was stored; the call may succeed
   * later.
   */
  | 'STORAGE_UNAVAILABLE'
  /** A topic exists and differs from what is asked for (`details.differs`). Nothing was changed. */
  | 'TOPIC_EXISTS'
  /** A transaction has records of a topic in memory. Nothing was stored. */
  | 'TOPIC_IN_MEMORY'
  /** The transaction's function called `abort()`. Nothing was stored, as asked. */
  | 'TRANSACTION_ABORTED'
  /** The transaction's function took longer than `transactionTimeoutMs`. Nothing was stored. */
  | 'TRANSACTION_TIMED_OUT'
  /** The records of a transaction exceed `maxTransactionBytes`. Nothing was stored. */
  | 'TRANSACTION_TOO_LARGE'
  /** There is no such topic: it was never created, or it was deleted since. Its consumers stop. */
  | 'UNKNOWN_TOPIC'
  /** A batch is compressed with a codec that is none of Kafka's. Reading stops before it. */
  | 'UNSUPPORTED_CODEC'
  /**
   * The worker's file did not load, or did not start (`details.reason`). Nothing was sent; a log
   * that was open before goes on trying.
   */
  | 'WORKER_FAILED'
  /**
   * The worker died or hung before the call was sent. Nothing was stored; the next call starts
   * another worker.
   */
  | 'WORKER_LOST';

/**
 * What an error says about the call that failed, and so what a caller inside tablog does with it:
 *
 * - 'passing': nothing was stored, because the worker or the storage is away. Both come back by
 *   themselves, so the call is repeated, with back-off, for as long as its caller has time.
 * - 'refused': nothing was stored, and the same call is refused again until somebody changes
 *   something. The error is reported.
 * - 'fenced': nothing was stored, because another member or producer has taken over. The caller
 *   gives up what it had.
 * - 'unknown': it may have been stored. The call is repeated only where a repetition cannot store
 *   twice, as a batch with a producer's sequence cannot.
 */
export type Outcome = 'passing' | 'refused' | 'fenced' | 'unknown';

/** The rule of an error code: the same for every error that carries the code. */
export interface ErrorRule {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  /** `true`: nothing was stored and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** The next step, for the person who reads the message. */
  readonly next: string;
}
