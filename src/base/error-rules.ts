/** What is known of an error code before it happens: may the same call be tried again, and what to do next. */
export interface ErrorRule {
  /** `true`: nothing was stored and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** The next step, for the person who reads the message. */
  readonly next: string;
}

/** Every code a `TablogError` can carry; what each means is in `ERROR_RULES`. */
export type ErrorCode =
  | 'BATCH_CORRUPT'
  | 'CLOSED'
  | 'FORMAT_TOO_NEW'
  | 'INFLATED_TOO_LARGE'
  | 'INTERNAL'
  | 'LOCKS_UNAVAILABLE'
  | 'LOG_CORRUPT'
  | 'NO_INDEXEDDB'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUTCOME_UNKNOWN'
  | 'PROTOCOL_MISMATCH'
  | 'RECORD_TOO_LARGE'
  | 'STORAGE_BLOCKED'
  | 'STORAGE_FULL'
  | 'STORAGE_UNAVAILABLE'
  | 'TIMEOUT'
  | 'TOPIC_EXISTS'
  | 'UNKNOWN_TOPIC'
  | 'UNSUPPORTED_CODEC'
  | 'WORKER_FAILED'
  | 'WORKER_LOST';

/** The rules of every code. The names follow Kafka's where Kafka has one. */
export const ERROR_RULES: Readonly<Record<ErrorCode, ErrorRule>> = {
  BATCH_CORRUPT: {
    retriable: false,
    next: 'The bytes are damaged: produce the records again, or seek past them.',
  },
  CLOSED: { retriable: false, next: 'Open a new one; a closed one stays closed.' },
  FORMAT_TOO_NEW: {
    retriable: false,
    next: 'Reload the page to get the version of tablog that wrote it.',
  },
  INFLATED_TOO_LARGE: {
    retriable: false,
    next: 'Produce smaller batches, or seek past this one.',
  },
  INTERNAL: { retriable: false, next: 'This is a bug in tablog: please report it.' },
  LOCKS_UNAVAILABLE: {
    retriable: false,
    next: 'Serve the page over https or from localhost, or pass { host: inline() }.',
  },
  LOG_CORRUPT: {
    retriable: false,
    next: 'The browser lost stored data: seek past the range to go on with what is left.',
  },
  NO_INDEXEDDB: {
    retriable: false,
    next: "Use a browser context that has IndexedDB, or inline({ storage: 'memory' }).",
  },
  OFFSET_OUT_OF_RANGE: {
    retriable: false,
    next: "Seek to 'earliest', to 'latest' or to an offset within the range.",
  },
  OUTCOME_UNKNOWN: {
    retriable: false,
    next: 'It may or may not have been stored: read back before you send it again.',
  },
  PROTOCOL_MISMATCH: {
    retriable: false,
    next: 'The worker runs another version of tablog: reload every tab of this origin.',
  },
  RECORD_TOO_LARGE: {
    retriable: false,
    next: "Send a smaller record, or raise the topic's maxRecordBytes with alterTopic().",
  },
  STORAGE_BLOCKED: {
    retriable: true,
    next: 'Another tab keeps an older version of the database open: close or reload it.',
  },
  STORAGE_FULL: { retriable: true, next: 'Free some of the origin’s storage, then try again.' },
  STORAGE_UNAVAILABLE: { retriable: true, next: 'Try again; if it stays, reload the page.' },
  TIMEOUT: { retriable: true, next: 'Try again; if it stays, reload the page.' },
  TOPIC_EXISTS: {
    retriable: false,
    next: 'Use the existing topic, or change it with addPartitions() or alterTopic().',
  },
  UNKNOWN_TOPIC: { retriable: false, next: 'Create it with log.admin.createTopics().' },
  UNSUPPORTED_CODEC: { retriable: false, next: "Compress with 'gzip' or not at all." },
  WORKER_FAILED: {
    retriable: true,
    next: 'Check that the worker’s file is served (openLog’s workerUrl) and that the page’s Content-Security-Policy allows it (worker-src).',
  },
  WORKER_LOST: { retriable: true, next: 'Nothing was sent: call again.' },
};
