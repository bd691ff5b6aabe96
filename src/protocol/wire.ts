import type { ErrorData } from './error-data.ts';

/**
 * What crosses the thread border. The messages are Comlink's: a call is one `APPLY` of one allowed
 * name with one value, and its answer carries the call's id. The worker serves them with Comlink
 * behind a guard (serve-broker.ts); a tab has its own small client (broker-port.ts), because
 * Comlink's never rejects when the other side dies, and loses answers when its proxy is collected.
 */
export interface Call {
  readonly id: string;
  readonly type: 'APPLY';
  readonly path: readonly [method: string];
  readonly argumentList: readonly [{ readonly type: 'RAW'; readonly value: unknown }];
}

/** Errors travel as data inside the value: Comlink keeps neither code nor cause of a thrown one. */
export type Answer<T> = { readonly value: T } | { readonly error: ErrorData };

/** What comes back; 'HANDLER' is Comlink's own failure to send the value. */
export interface Reply {
  readonly id: string;
  readonly type: 'RAW' | 'HANDLER';
  readonly value: unknown;
}

/** The name of the first call on every connection, before any other. */
export const HELLO = 'hello';

export interface HelloRequest {
  readonly protocol: number;
  readonly log: string;
  /** The caller holds the lock of this id for as long as it lives. */
  readonly clientId: string;
  /**
   * The id of the log that the caller had open through an earlier worker: every call is `CLOSED`
   * where that log has been deleted. Null: the caller has had none.
   */
  readonly logId: string | null;
}

export interface HelloResponse {
  readonly protocol: number;
  /** The worker holds the lock of this id for as long as it lives. */
  readonly brokerId: string;
}
