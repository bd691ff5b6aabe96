/** Every code that a `TablogError` can carry. The names follow Kafka's where Kafka has one. */
export type ErrorCode =
  | 'BATCH_CORRUPT'
  | 'CLOSED'
  | 'CONFLICT'
  | 'FENCED'
  | 'FETCH_SESSION_ID_NOT_FOUND'
  | 'FORMAT_TOO_NEW'
  | 'GROUP_ID_NOT_FOUND'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INFLATED_TOO_LARGE'
  | 'INTERNAL'
  | 'INVALID_CONFIG'
  | 'INVALID_LOG_FILE'
  | 'INVALID_RECORD'
  | 'INVALID_TXN_STATE'
  | 'LISTING_UNAVAILABLE'
  | 'LOAD_FAILED'
  | 'LOCKS_UNAVAILABLE'
  | 'LOG_CORRUPT'
  | 'MEMBER_EXISTS'
  | 'NON_EMPTY_GROUP'
  | 'NOT_ASSIGNED'
  | 'NO_INDEXEDDB'
  | 'NO_WORKER'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUTCOME_UNKNOWN'
  | 'OUT_OF_ORDER_SEQUENCE'
  | 'PARTITION_NOT_EMPTY'
  | 'PROTOCOL_MISMATCH'
  | 'RECORD_TOO_LARGE'
  | 'SERDE'
  | 'STORAGE_BLOCKED'
  | 'STORAGE_FULL'
  | 'STORAGE_TIMEOUT'
  | 'STORAGE_UNAVAILABLE'
  | 'TOPIC_EXISTS'
  | 'TOPIC_IN_MEMORY'
  | 'TRANSACTION_ABORTED'
  | 'TRANSACTION_TIMED_OUT'
  | 'TRANSACTION_TOO_LARGE'
  | 'UNKNOWN_TOPIC'
  | 'UNSUPPORTED_CODEC'
  | 'WORKER_FAILED'
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
