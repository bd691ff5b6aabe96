import type { SinkError } from './sink/sink-error.ts';

/**
 * 'starting': joins the group. 'running': delivers, or has nothing to deliver. 'offline': a delivery
 * has failed, and the browser says that there is no network. 'backingOff': a delivery has failed, and
 * is tried again at `retryAt`. 'unauthorized': the target takes nothing from the user who is signed
 * in; asked again as in 'backingOff'. 'paused': by `pause()`. 'failed': until `restart()`. 'closed'.
 */
export type ConnectorState =
  | 'starting'
  | 'running'
  | 'offline'
  | 'backingOff'
  | 'unauthorized'
  | 'paused'
  | 'failed'
  | 'closed';

/** Where a connector stands in a partition that this tab delivers. */
export interface ConnectorPartition {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record that the target gets. */
  readonly position: number;
  readonly endOffset: number;
  /** How many offsets the target is behind. */
  readonly lag: number;
}

export interface ConnectorStatus {
  readonly name: string;
  readonly state: ConnectorState;
  /** The last failure; `undefined` once a delivery has succeeded. */
  readonly error: SinkError | undefined;
  /** The time of the next attempt, in milliseconds since 1970; `undefined`: no attempt has failed. */
  readonly retryAt: number | undefined;
  /** The number of records that this tab has delivered since the connector was made. */
  readonly delivered: number;
  /**
   * The number of offsets that this tab passed over, because retention or `deleteRecords` had removed
   * their records before the target got them: see `protectUncommitted`.
   */
  readonly lost: number;
  /** The partitions of this tab. */
  readonly partitions: readonly ConnectorPartition[];
}
