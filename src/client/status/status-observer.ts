import type { TablogError } from '../../base/error.ts';
import type { Method, Request } from '../../protocol/broker.ts';
import type { UntimedStatus, WorkerLost } from './log-status.ts';

/** The member of a group that a consumer is. */
export interface ObservedMember {
  readonly group: string;
  readonly memberId: string;
  readonly rebalanceTimeoutMs: number;
}

/** An event of a consumer: `ConsumerEvent`. */
export interface ObservedEvent {
  readonly event: 'assigned' | 'revoked' | 'lost' | 'reset';
  readonly detail: object;
}

/** The partition of a message that the application has; a consumer's reader is one. */
export interface HandledPartition {
  readonly topic: { readonly name: string };
  readonly partition: number;
  /** `signal` aborts when the partition is lost; `isRevoking`: another member waits for it. */
  readonly progress: { readonly signal: AbortSignal; readonly isRevoking: boolean } | undefined;
}

/** A message or batch that the application has. */
export interface Handling {
  /** The application has done with it. */
  end(): void;
}

/**
 * Whom a connection and its users tell what happens by itself. A connection has one while somebody
 * listens, so that nothing is made or timed for nobody.
 */
export interface StatusObserver {
  emit(status: UntimedStatus): void;
  /** An event of a consumer; `member` is `undefined` without a group. */
  consumerEvent(member: ObservedMember | undefined, event: ObservedEvent): void;
  workerLost(reason: WorkerLost['reason']): void;
  /** A worker could not be started. */
  workerFailed(error: unknown): void;
  workerConnected(): void;
  /** The broker was called: its answers tell how the storage is. */
  called<M extends Method>(method: M, request: Request<M>, answer: Promise<unknown>): void;
  /** A partition cannot be read on. */
  readFailed(topic: string, partition: number, offset: number, error: TablogError): void;
  /** The application got a message or batch that begins at `offset`. */
  handling(member: ObservedMember, partition: HandledPartition, offset: number): Handling;
}
