/** The kind of an entry of the diagnostics. */
export type DiagnosticKind =
  /** The broker of this log was made. `host`. */
  | 'brokerStarted'
  /** A tab has said hello. `clientId`. */
  | 'clientConnected'
  /** The Web Lock of a tab was freed: the tab was closed, or has crashed. `clientId`. */
  | 'clientDied'
  /** The database was opened. `ms`. */
  | 'storeOpened'
  /** The database could not be opened. `ms`, `code`, `message`. */
  | 'storeFailed'
  /** The connection to the database was closed, by whom the `message` tells. `code`, `message`. */
  | 'storeClosed'
  /** A transaction took a second or longer. `ms`, `mode`, `stores`. */
  | 'transactionSlow'
  /** A transaction failed, or has not ended in time. `ms`, `mode`, `stores`, `code`, `message`. */
  | 'transactionFailed'
  /** A call was answered with an error. `method`, `code`, `message`. */
  | 'callFailed'
  /** A call of a member or a producer that another has replaced. `method`, `code`, `message`. */
  | 'fenced'
  /** The assignment of a group has changed. `group`, `generation`, `members`, `event`. */
  | 'rebalanced'
  /** The log cleaner (retention, compaction, merging) has ended a pass. `ms`. */
  | 'cleaned'
  /** A pass of the log cleaner has failed. `ms`, `code`, `message`. */
  | 'cleaningFailed';

/** Something that happened in the broker. */
export interface DiagnosticEntry {
  /** Milliseconds since 1970, by the worker's clock. */
  readonly timestamp: number;
  readonly kind: DiagnosticKind;
  /** The facts that `DiagnosticKind` names for the kind. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** The broker that serves the tab, as it is now. */
export interface BrokerDescription {
  /** The id of the worker; of a broker in the tab's thread, an id of its own. */
  readonly brokerId: string;
  readonly host: 'shared' | 'dedicated' | 'inline';
  /** How long the broker has served this log, in milliseconds. */
  readonly uptimeMs: number;
  /** The tabs that are connected; those of this log alone. */
  readonly clients: number;
  /** The fetches without an answer yet: nearly all wait for records. */
  readonly waitingFetches: number;
  /** The transactions of the store that have not ended. */
  readonly transactionsInFlight: number;
  /** The transactions of the store so far. */
  readonly transactions: number;
}

/** The diagnostics of a log's broker. */
export interface BrokerDiagnostics {
  readonly broker: BrokerDescription;
  /** The newest entries, oldest first. */
  readonly entries: readonly DiagnosticEntry[];
  /** How many older entries were dropped. */
  readonly droppedEntries: number;
}
