import type { LostRecords } from './broker.ts';
import type { ErrorData } from './error-data.ts';

/**
 * The messages between a tab and its worker. They are Comlink's: a call is one `APPLY` of one
 * allowed name with one value, and its answer carries the call's id. The worker serves them with
 * Comlink behind a guard (serve-broker.ts). A tab has its own small client (broker-port.ts),
 * because Comlink's client never rejects when the other side dies, and loses answers when its proxy
 * is collected.
 */
export interface Call {
  readonly id: string;
  readonly type: 'APPLY';
  readonly path: readonly [method: string];
  readonly argumentList: readonly [{ readonly type: 'RAW'; readonly value: unknown }];
}

/**
 * Errors travel as data inside the value: Comlink drops the code and the cause of a thrown error.
 *
 * `lost`: records that the broker found lost as it compared the log with the witness of the hello.
 */
export type Answer<T> =
  | { readonly value: T; readonly lost?: readonly LostRecords[] }
  | { readonly error: ErrorData };

/** An answer as Comlink sends it; 'HANDLER' is Comlink's own failure to send the value. */
export interface Reply {
  readonly id: string;
  readonly type: 'RAW' | 'HANDLER';
  readonly value: unknown;
}

/** The most entries of any list of a request, and partitions that one call may create. */
export const MAX_ENTRIES = 100_000;

/**
 * The most batches of one `produce`. A batch costs the worker some 50 µs even where it is refused,
 * so other tabs wait for half a second at the most. A producer makes several calls of more batches.
 */
export const MAX_APPENDS = 10_000;

/** The most bytes of the batches, or of the file, of one request. */
export const MAX_REQUEST_BYTES: number = 256 * 1024 * 1024;

/** The most characters of the text that is stored with a committed offset. */
export const MAX_METADATA: number = 1024 * 1024;

/** The name of the first call on every connection, before any other. */
export const HELLO = 'hello';

export interface HelloRequest {
  readonly protocol: number;
  readonly log: string;
  /** The tab holds the Web Lock of this id for as long as it lives. */
  readonly clientId: string;
  /**
   * The id of the log that the tab had open through an earlier worker: every call is `CLOSED` when
   * that log has been deleted. Null: the tab opens the log for the first time.
   */
  readonly logId: string | null;
  /** The witness of the tab's origin (protocol/log-witness.ts), as text. */
  readonly witness?: string | null;
}

export interface HelloResponse {
  readonly protocol: number;
  /** The worker holds the Web Lock of this id for as long as it lives. */
  readonly brokerId: string;
}
