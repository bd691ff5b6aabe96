export type PathName = 'http' | 'nats' | 'durable-streams' | 'kafka' | 'mirror';

/** `connect()`, or a loop over the target's own client. */
export type Side = 'tablog' | 'plain';

/** What a page delivers, and where to. */
export interface Job {
  readonly path: PathName;
  readonly url: string;
  /** The topics, which the target has nothing of. */
  readonly topics: {
    /** Is delivered before the clock starts, so that page and server have run their code once. */
    readonly warmUp: string;
    readonly measured: string;
  };
  readonly records: number;
  /** The bytes of each value, as JSON. */
  readonly bytes: number;
  /** Are delivered side by side. */
  readonly partitions: number;
}

export interface Delivered {
  readonly ms: number;
  /** The batches that the target was sent. */
  readonly batches: number;
}

/** The records of a batch: the default of `maxRecords`, which a mirror has no option for. */
export const BATCH = 500;

export const WARM_UP_RECORDS = 2_000;

/** The first letter of values that were sent to warm up. */
export const WARM_UP_MARK = 'w';
