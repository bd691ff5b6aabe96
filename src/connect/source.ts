import type { HeadersInput } from '../client/accumulator/record-encoder.ts';

/** A record from a source, for the connector's topic. */
export interface SourceRecord<K = unknown, V = unknown> {
  readonly key?: K | null;
  readonly value: V | null;
  readonly headers?: HeadersInput;
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp?: number;
  /** Default: by the key, as of every record. */
  readonly partition?: number;
}

/** Records, and where the source goes on behind them. */
export interface SourceBatch<K = unknown, V = unknown> {
  /** Can be empty, where the source has moved on without records. */
  readonly records: readonly SourceRecord<K, V>[];
  /** Any text: an id, an offset, a cursor. 1 to 4,096 characters. */
  readonly position: string;
}

export interface SourceContext {
  /** Aborts when another tab is to read, and when the connector closes. */
  readonly signal: AbortSignal;
  /**
   * Tells that the source was reached, though nothing may come for long: the status shows no failure any
   * more. A batch tells it, too.
   */
  readonly connected: () => void;
}

/** Where a connector reads from (Kafka Connect's `SourceTask`). */
export interface Source<K = unknown, V = unknown> {
  /**
   * Reads what is behind `position`, as it comes; `undefined`: from the beginning, or what the source
   * takes for it. When the iteration ends or fails it is begun again after a wait, at the position of the
   * last batch that was stored. What it throws is a `SinkError`, or anything else for a failure that
   * passes.
   */
  read(position: string | undefined, context: SourceContext): AsyncIterable<SourceBatch<K, V>>;
  /** Called when the connector closes. */
  close?(): Promise<void> | void;
}
