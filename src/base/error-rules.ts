import type { ErrorRule } from './error-rule.ts';

// An export for each code: a tab's bundle has the rules of its own errors; the worker's carry theirs.

export const ABORTED: ErrorRule = {
  code: 'ABORTED',
  outcome: 'refused',
  retriable: true,
  next: 'Send it again if it is still wanted.',
};

export const BATCH_CORRUPT: ErrorRule = {
  code: 'BATCH_CORRUPT',
  outcome: 'refused',
  retriable: false,
  next: 'The bytes are damaged: produce the records again, or seek past them.',
};

export const CLOSED: ErrorRule = {
  code: 'CLOSED',
  outcome: 'refused',
  retriable: false,
  next: 'Open a new one; a closed one stays closed.',
};

export const CONFLICT: ErrorRule = {
  code: 'CONFLICT',
  outcome: 'refused',
  retriable: false,
  next: 'Read what was stored meanwhile, then decide anew and send with the new expectedOffset.',
};

export const DELIVERY_TIMED_OUT: ErrorRule = {
  code: 'DELIVERY_TIMED_OUT',
  outcome: 'refused',
  retriable: true,
  next: 'Nothing was stored: send it again, or raise deliveryTimeoutMs of the producer.',
};

export const FENCED: ErrorRule = {
  code: 'FENCED',
  outcome: 'fenced',
  retriable: false,
  next: 'Others read its partitions now; what it had in hand comes again there.',
};

export const FETCH_SESSION_ID_NOT_FOUND: ErrorRule = {
  code: 'FETCH_SESSION_ID_NOT_FOUND',
  outcome: 'passing',
  retriable: true,
  next: 'Call it again with all partitions: a consumer does so by itself.',
};

export const FORMAT_TOO_NEW: ErrorRule = {
  code: 'FORMAT_TOO_NEW',
  outcome: 'refused',
  retriable: false,
  next: 'Reload the page to get the version of tablog that wrote it.',
};

export const GROUP_ID_NOT_FOUND: ErrorRule = {
  code: 'GROUP_ID_NOT_FOUND',
  outcome: 'refused',
  retriable: false,
  next: 'Call listGroups() for those that there are.',
};

export const INCONSISTENT_GROUP_PROTOCOL: ErrorRule = {
  code: 'INCONSISTENT_GROUP_PROTOCOL',
  outcome: 'refused',
  retriable: false,
  next: 'Create every consumer of the group with the same assignor, or with none.',
};

export const INFLATED_TOO_LARGE: ErrorRule = {
  code: 'INFLATED_TOO_LARGE',
  outcome: 'refused',
  retriable: false,
  next: 'Produce smaller batches, or seek past this one.',
};

export const INTERNAL: ErrorRule = {
  code: 'INTERNAL',
  outcome: 'refused',
  retriable: false,
  next: 'This is a bug in tablog: please report it.',
};

export const INVALID_CONFIG: ErrorRule = {
  code: 'INVALID_CONFIG',
  outcome: 'refused',
  retriable: false,
  next: 'Nothing was changed: use other options, or create another topic.',
};

export const INVALID_LOG_FILE: ErrorRule = {
  code: 'INVALID_LOG_FILE',
  outcome: 'refused',
  retriable: false,
  next: 'Nothing was imported: pass the whole file, as exportPartition() or a Kafka broker wrote it.',
};

export const INVALID_RECORD: ErrorRule = {
  code: 'INVALID_RECORD',
  outcome: 'refused',
  retriable: false,
  next: "Send a key, or make the topic with cleanup 'delete'.",
};

export const INVALID_REQUEST: ErrorRule = {
  code: 'INVALID_REQUEST',
  outcome: 'refused',
  retriable: false,
  next: 'Call it with less at once; where it asks for little, reload the page.',
};

export const LISTING_UNAVAILABLE: ErrorRule = {
  code: 'LISTING_UNAVAILABLE',
  outcome: 'refused',
  retriable: false,
  next: 'Read the names of your logs from where you keep them yourself, localStorage for example.',
};

export const LOAD_FAILED: ErrorRule = {
  code: 'LOAD_FAILED',
  outcome: 'refused',
  // Firefox and WebKit cache a failed `import()` for the life of the page.
  retriable: false,
  next: 'Check that every file of the build is served, then reload the page.',
};

export const LOCKS_UNAVAILABLE: ErrorRule = {
  code: 'LOCKS_UNAVAILABLE',
  outcome: 'refused',
  retriable: false,
  next: "Serve the page over https or from localhost, outside of a sandbox, or pass { host: inline() }; where there is no IndexedDB, inline({ storage: 'memory' }).",
};

export const LOG_CORRUPT: ErrorRule = {
  code: 'LOG_CORRUPT',
  outcome: 'refused',
  retriable: false,
  next: 'The browser lost stored data: seek past the range to go on with what is left.',
};

export const MEMBER_EXISTS: ErrorRule = {
  code: 'MEMBER_EXISTS',
  outcome: 'refused',
  retriable: true,
  next: 'Close the other one first, or leave memberId out.',
};

export const NON_EMPTY_GROUP: ErrorRule = {
  code: 'NON_EMPTY_GROUP',
  outcome: 'refused',
  retriable: true,
  next: 'Close its consumers first.',
};

export const NOT_ASSIGNED: ErrorRule = {
  code: 'NOT_ASSIGNED',
  outcome: 'refused',
  retriable: false,
  next: 'Check consumer.assignment first.',
};

export const NO_INDEXEDDB: ErrorRule = {
  code: 'NO_INDEXEDDB',
  outcome: 'refused',
  retriable: false,
  next: "Pass { host: inline({ storage: 'memory' }) }, of 'tablog/inline', or its { store: sqlite(database) }.",
};

export const NO_WORKER: ErrorRule = {
  code: 'NO_WORKER',
  outcome: 'refused',
  retriable: false,
  next: "Pass { host: inline() }, with the inline() of 'tablog/inline'.",
};

export const OFFSET_OUT_OF_RANGE: ErrorRule = {
  code: 'OFFSET_OUT_OF_RANGE',
  outcome: 'refused',
  retriable: false,
  next: "Seek to 'earliest', to 'latest' or to an offset within the range.",
};

export const OUTCOME_UNKNOWN: ErrorRule = {
  code: 'OUTCOME_UNKNOWN',
  outcome: 'unknown',
  retriable: false,
  next: 'It may or may not have been stored: read back before you send it again.',
};

export const OUT_OF_ORDER_SEQUENCE: ErrorRule = {
  code: 'OUT_OF_ORDER_SEQUENCE',
  outcome: 'refused',
  retriable: false,
  next: 'Records before it are missing: read back what is stored before you send again.',
};

export const PARTITION_NOT_EMPTY: ErrorRule = {
  code: 'PARTITION_NOT_EMPTY',
  outcome: 'refused',
  retriable: false,
  next: 'Create a topic for the import: its partitions are empty.',
};

export const PROTOCOL_MISMATCH: ErrorRule = {
  code: 'PROTOCOL_MISMATCH',
  outcome: 'refused',
  retriable: false,
  next: 'The worker runs another version of tablog: reload every tab of this origin.',
};

export const RECORD_TOO_LARGE: ErrorRule = {
  code: 'RECORD_TOO_LARGE',
  outcome: 'refused',
  retriable: false,
  next: "Send a smaller record, or raise the topic's maxRecordBytes with alterTopics().",
};

export const SERDE: ErrorRule = {
  code: 'SERDE',
  outcome: 'refused',
  retriable: false,
  next: 'Seek past the record, or have onDecodeError skip it or put it into a deadLetterTopic.',
};

export const STORAGE_BLOCKED: ErrorRule = {
  code: 'STORAGE_BLOCKED',
  outcome: 'refused',
  retriable: true,
  next: 'Another tab keeps an older version of the database open: close or reload it.',
};

export const STORAGE_FULL: ErrorRule = {
  code: 'STORAGE_FULL',
  outcome: 'refused',
  retriable: true,
  next: 'Delete records or topics, or other data of the origin, then try again.',
};

export const STORAGE_TIMEOUT: ErrorRule = {
  code: 'STORAGE_TIMEOUT',
  outcome: 'passing',
  retriable: true,
  next: 'A suspended tab or a hung worker may hold the database: try again in a minute, or close every tab of the site.',
};

export const STORAGE_UNAVAILABLE: ErrorRule = {
  code: 'STORAGE_UNAVAILABLE',
  outcome: 'passing',
  retriable: true,
  next: 'Try again; if it stays, reload the page.',
};

export const TOPIC_EXISTS: ErrorRule = {
  code: 'TOPIC_EXISTS',
  outcome: 'refused',
  retriable: false,
  next: 'Leave out the options that differ, or pass createTopics() a higher version, which brings in line what can be.',
};

export const TOPIC_IN_MEMORY: ErrorRule = {
  code: 'TOPIC_IN_MEMORY',
  outcome: 'refused',
  retriable: false,
  next: "Nothing was stored: send to it outside of transactions, or make a topic with storage 'disk'.",
};

export const TOPIC_READ_ONLY: ErrorRule = {
  code: 'TOPIC_READ_ONLY',
  outcome: 'refused',
  retriable: false,
  next: 'Send to the log that it mirrors, or end the mirroring: promoteMirrors() of tablog/connect/mirror.',
};

export const UNKNOWN_TOPIC: ErrorRule = {
  code: 'UNKNOWN_TOPIC',
  outcome: 'refused',
  retriable: false,
  next: 'Create it with log.admin.createTopics().',
};

export const UNSUPPORTED_CODEC: ErrorRule = {
  code: 'UNSUPPORTED_CODEC',
  outcome: 'refused',
  retriable: false,
  next: "Compress with a codec of Kafka's: 'gzip', 'snappy', 'lz4' or 'zstd', or not at all.",
};

// Retriable: an open log has run the worker's file before, which loads again once the tab is online.
export const WORKER_FAILED: ErrorRule = {
  code: 'WORKER_FAILED',
  outcome: 'passing',
  retriable: true,
  next: 'Check that its file is served (workerUrl) and the Content-Security-Policy allows it (worker-src).',
};

export const WORKER_LOST: ErrorRule = {
  code: 'WORKER_LOST',
  outcome: 'passing',
  retriable: true,
  next: 'Nothing was sent: call again.',
};
