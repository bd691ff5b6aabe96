import type { TablogError } from '../../base/error.ts';
import type { LostRecords, Method, Request } from '../../protocol/broker.ts';
import type { UntimedStatus, WorkerLost } from './log-status.ts';

/** A consumer as a member of its group. */
export interface ObservedMember {
  readonly group: string;
  readonly memberId: string;
  readonly rebalanceTimeoutMs: number;
}

/** An event of a consumer; a `ConsumerEvent` has this shape. */
export interface ObservedEvent {
  readonly event: 'assigned' | 'revoked' | 'lost' | 'reset';
  readonly detail: object;
}

/**
 * The partition of a message that the application has in hand. A `PartitionReader` has this shape.
 */
export interface HandledPartition {
  readonly topic: { readonly name: string };
  readonly partition: number;
  /** `signal` aborts when the partition is lost; `isRevoking`: another member waits for it. */
  readonly progress: { readonly signal: AbortSignal; readonly isRevoking: boolean } | undefined;
}

/** A message or batch that the application has in hand. */
export interface Handling {
  /** Called when the application has finished the message or batch. */
  end(): void;
}

/**
 * The observer to which a connection and its producers and consumers report events. A connection
 * has an observer only while an iterator or a logger listens, so that statuses cost nothing
 * otherwise.
 */
export interface StatusObserver {
  emit(status: UntimedStatus): void;
  /** A consumer had an event. `member`: `undefined` without a group. */
  consumerEvent(member: ObservedMember | undefined, event: ObservedEvent): void;
  workerLost(reason: WorkerLost['reason']): void;
  /** A worker could not be started. */
  workerFailed(error: unknown): void;
  workerConnected(): void;
  /** The broker was called. `answer` shows the state of the storage. */
  called<M extends Method>(method: M, request: Request<M>, answer: Promise<unknown>): void;
  /** A worker found the log shorter than this tab had seen it. */
  recordsLost(lost: readonly LostRecords[]): void;
  /** A fetch of a partition failed, and the consumer stops there. */
  readFailed(topic: string, partition: number, offset: number, error: TablogError): void;
  /** The application got a message or batch that begins at `offset`. */
  handling(member: ObservedMember, partition: HandledPartition, offset: number): Handling;
}
