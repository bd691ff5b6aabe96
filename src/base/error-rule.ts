/**
 * Every code of a `TablogError`: its cause, its effect, and what a caller can do. The names are
 * Kafka's where Kafka has the error.
 */
export type ErrorCode =
  /**
   * The record's batch was not sent, because `signal` aborted. Also a result of `sendBatch` where
   * other records of the call are stored. Send the record again if it is still wanted.
   */
  | 'ABORTED'
  /**
   * A stored or received record batch differs from what was written (CRC, structure). Reading stops
   * before the batch; `seek` past the batch to go on.
   */
  | 'BATCH_CORRUPT'
  /**
   * The handle was closed, or its log deleted (`details.reason` 'deleted'). End the loop: no later
   * call succeeds.
   */
  | 'CLOSED'
  /**
   * `expectedOffset` is not the next offset: another producer has stored a record first. Read the
   * new records, and decide again.
   */
  | 'CONFLICT'
  /**
   * The record or the transaction was not sent within `deliveryTimeoutMs`, because it waited for
   * others of its producer, or for its topic. Nothing was stored; send it again.
   */
  | 'DELIVERY_TIMED_OUT'
  /**
   * Another member has the partition, or another producer has the transactional id. Drop the
   * messages in hand: the other member gets them.
   */
  | 'FENCED'
  /**
   * The worker does not know a fetch session (KIP-227). Consumers begin another session themselves,
   * so an application never gets this error.
   */
  | 'FETCH_SESSION_ID_NOT_FOUND'
  /**
   * The log was written by a later release of tablog than this page's. Have the user reload the
   * page.
   */
  | 'FORMAT_TOO_NEW'
  /** A method of `log.admin` names a group that does not exist. Nothing was changed. */
  | 'GROUP_ID_NOT_FOUND'
  /**
   * A consumer names another assignor than its group's members have. The consumer has not joined.
   */
  | 'INCONSISTENT_GROUP_PROTOCOL'
  /**
   * A compressed batch exceeds the limit when it is decompressed. Reading stops before the batch;
   * `seek` past the batch to go on.
   */
  | 'INFLATED_TOO_LARGE'
  /** A bug of tablog; `cause` is the original error. The effect of the call is unknown. */
  | 'INTERNAL'
  /**
   * The options of a topic exclude each other, or would move the topic between disk and memory.
   * Nothing was changed.
   */
  | 'INVALID_CONFIG'
  /**
   * A file given to `importPartition` is no Kafka log file, or a damaged one. Nothing was imported.
   */
  | 'INVALID_LOG_FILE'
  /** A record without a key was sent to a compacted topic. The record was not stored. */
  | 'INVALID_RECORD'
  /**
   * A call asks the worker for more than one call may, 100,000 partitions for instance, or the page
   * is of another build. Nothing was done.
   */
  | 'INVALID_REQUEST'
  /**
   * A method of a transaction was called after the transaction's function had returned. The call
   * had no effect.
   */
  | 'INVALID_TXN_STATE'
  /** The browser cannot list databases, so `listLogs` cannot list the logs. */
  | 'LISTING_UNAVAILABLE'
  /**
   * A file of the page's own code (`details.part`), or the file of a codec, did not load. The call
   * had no effect.
   */
  | 'LOAD_FAILED'
  /**
   * The context has no Web Locks, because the context is not secure, is sandboxed, or has its site
   * data blocked. The log was not opened.
   */
  | 'LOCKS_UNAVAILABLE'
  /**
   * Stored data is missing or malformed. Reading stops at the offset in `details`; the rest of the
   * log is not affected.
   */
  | 'LOG_CORRUPT'
  /** A living member of the group has the same `memberId`. The consumer has not joined. */
  | 'MEMBER_EXISTS'
  /**
   * The call needs a group without members, and the group has members. Close the group's consumers,
   * or use the option `force` where the call has it.
   */
  | 'NON_EMPTY_GROUP'
  /**
   * The consumer does not have the partition now: a rebalance may have moved the partition. Look at
   * `consumer.assignment`.
   */
  | 'NOT_ASSIGNED'
  /** The context has no IndexedDB. Only a log in memory can be opened there. */
  | 'NO_INDEXEDDB'
  /** The context cannot start the kind of worker that `host` names. The log was not opened. */
  | 'NO_WORKER'
  /**
   * An offset to commit, or to delete up to, is beyond the partition's end. Nothing was changed. A
   * consumer whose position is out of range gets no error: its `from` applies.
   */
  | 'OFFSET_OUT_OF_RANGE'
  /**
   * The answer was lost, and the call may have had its effect or not. Read the log before you
   * repeat the call.
   */
  | 'OUTCOME_UNKNOWN'
  /**
   * A batch of an idempotent producer arrived without the batches before it. The batch was not
   * stored.
   */
  | 'OUT_OF_ORDER_SEQUENCE'
  /** The partition of an `importPartition` has, or had, records. Nothing was imported. */
  | 'PARTITION_NOT_EMPTY'
  /**
   * The worker is of another release than the page, with another version of the protocol. Have the
   * user reload the page's tabs.
   */
  | 'PROTOCOL_MISMATCH'
  /** A record exceeds the topic's `maxRecordBytes`. The record was not stored. */
  | 'RECORD_TOO_LARGE'
  /**
   * A serde cannot decode a record. `details` name the record, and `cause` is the serde's error.
   * Reading stops before the record, unless `onDecodeError` decides otherwise.
   */
  | 'SERDE'
  /**
   * Another tab keeps an older version of the database open. The call succeeds when that tab has
   * closed.
   */
  | 'STORAGE_BLOCKED'
  /**
   * The origin's storage quota is exhausted. Nothing was stored; the call succeeds once storage is
   * freed.
   */
  | 'STORAGE_FULL'
  /**
   * The database of `sqlite()` cannot be written to: it was opened for reading, or its file is not
   * the process's to write. Nothing was stored.
   */
  | 'STORAGE_READ_ONLY'
  /** The database did not answer in time. Nothing was stored; the call may succeed later. */
  | 'STORAGE_TIMEOUT'
  /**
   * The browser closed the database, or the database fails. Nothing was stored; the call may
   * succeed later.
   */
  | 'STORAGE_UNAVAILABLE'
  /**
   * A topic exists, and differs from the requested topic (`details.differs`). Nothing was changed.
   */
  | 'TOPIC_EXISTS'
  /** A transaction has records of a topic in memory. Nothing was stored. */
  | 'TOPIC_IN_MEMORY'
  /** The topic is a mirror of another log's topic (`mirrorOf`). Nothing was stored. */
  | 'TOPIC_READ_ONLY'
  /** The transaction's function called `abort()`. Nothing was stored. */
  | 'TRANSACTION_ABORTED'
  /** The transaction's function took longer than `transactionTimeoutMs`. Nothing was stored. */
  | 'TRANSACTION_TIMED_OUT'
  /** The records of a transaction exceed `maxTransactionBytes`. Nothing was stored. */
  | 'TRANSACTION_TOO_LARGE'
  /** The topic does not exist: it was never created, or it was deleted. Its consumers stop. */
  | 'UNKNOWN_TOPIC'
  /**
   * A batch is compressed with a codec that Kafka does not have. Reading stops before the batch.
   */
  | 'UNSUPPORTED_CODEC'
  /**
   * The worker's file did not load, or the worker did not start (`details.reason`). Nothing was
   * sent; a log that was open before keeps retrying.
   */
  | 'WORKER_FAILED'
  /**
   * The worker died or hung before the call was sent. Nothing was stored; the next call starts
   * another worker.
   */
  | 'WORKER_LOST';

/**
 * The meaning of an error for the failed call, by which callers inside tablog choose their
 * reaction:
 *
 * - 'passing': nothing was stored, because the worker or the storage is away. Both become available
 *   again without a change by the application, so the call is retried with back-off until the
 *   caller's timeout.
 * - 'refused': nothing was stored, and the same call is refused again until the application or the
 *   user changes the cause. The error is reported to the application.
 * - 'fenced': nothing was stored, because another member or producer has taken over. The caller
 *   releases the partition or the transactional id.
 * - 'unknown': the call may have stored its data. The call is retried only where a retry cannot
 *   store the data twice, as for a batch with producer sequences.
 */
export type Outcome = 'passing' | 'refused' | 'fenced' | 'unknown';

/** The rule of an error code: the same for every error that carries the code. */
export interface ErrorRule {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  /** `true`: nothing was stored and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** The next step, for the reader of the message. */
  readonly next: string;
}
