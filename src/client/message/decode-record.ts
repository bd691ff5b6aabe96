import { SERDE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { errorText } from '../../base/error-text.ts';
import { readHeaders } from '../../record/record-cursor.ts';
import type { Header, RecordCursor } from '../../record/record-cursor.ts';
import { Message } from './message.ts';
import type { RawMessage } from './message.ts';
import type { PartitionSource } from './partition-source.ts';
import { plain } from '../topics/serde.ts';
import type { Serde } from '../topics/serde.ts';
import { SerdeCalls } from '../topics/serde-context.ts';
import type { DecodeContext } from '../topics/serde-context.ts';

/** A record whose key or value its serde cannot decode. */
export class Undecodable {
  readonly offset: number;
  /** The `SERDE` error, with the place of the record and the error of the serde. */
  readonly error: TablogError;
  /** The record with key and value as bytes, which are views into the fetched batch. */
  readonly message: RawMessage;

  constructor(message: RawMessage, error: TablogError) {
    this.offset = message.offset;
    this.message = message;
    this.error = error;
  }
}

/** Shared by all messages without headers, which are the majority. */
const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** The context of the serde calls, reused from record to record. */
export class DecodeCalls extends SerdeCalls implements DecodeContext {
  #headers = NO_HEADERS;

  get headers(): readonly Header[] {
    return this.#headers;
  }

  /** Starts a record with these headers. */
  next(headers: readonly Header[]): void {
    this.#headers = headers;
    this.reset(this.topic);
  }
}

/** The reason why a record cannot be decoded, known before its serdes are called. */
export interface DecodeFailure {
  readonly field: string;
  readonly cause: unknown;
}

/**
 * Decodes the record at the cursor with the serdes of its topic. Returns `undefined` where a serde
 * has to be called again, after `calls.wait`. With `failure`, the record counts as undecodable, and
 * no serde is called.
 */
export function decodeRecord(
  source: PartitionSource,
  cursor: RecordCursor,
  calls: DecodeCalls,
  failure?: DecodeFailure,
): Message | Undecodable | undefined {
  const { key: keySerde, value: valueSerde } = source.topic;
  const { bytes, keyAt, keyLength, valueAt, valueLength, offset, timestamp } = cursor;
  const headers = cursor.headerCount === 0 ? NO_HEADERS : ownHeaders(cursor);
  calls.next(headers);
  try {
    if (failure !== undefined) throw failure.cause;
    const key = decodeField(keySerde, bytes, keyAt, keyLength, calls);
    calls.begin('value');
    const value = decodeField(valueSerde, bytes, valueAt, valueLength, calls);
    if (calls.wait !== undefined) return undefined;
    return new Message(source, offset, timestamp, key, value, headers);
  } catch (cause) {
    if (calls.wait !== undefined) return undefined;
    const key = decodeField(plain, bytes, keyAt, keyLength, calls);
    const value = decodeField(plain, bytes, valueAt, valueLength, calls);
    const message = new Message(source, offset, timestamp, key, value, headers) as RawMessage;
    const { field } = failure ?? calls;
    return new Undecodable(message, undecodable(message, field, cause));
  }
}

function decodeField<T>(
  serde: Serde<T>,
  bytes: Uint8Array,
  at: number,
  length: number,
  context: DecodeContext,
): T | null {
  if (length < 0) return null;
  const decoded = serde.decode(bytes.subarray(at, at + length), context);
  if (decoded instanceof Promise) throw decodedPromise(decoded);
  return decoded;
}

/**
 * Copies the headers out of the fetched batch, so that a message does not keep the batch in memory.
 */
function ownHeaders({ bytes, headersAt, recordEnd, headerCount }: RecordCursor): Header[] {
  return readHeaders(bytes.slice(headersAt, recordEnd), 0, headerCount);
}

/** A promise would be the message's value, and its rejection nobody's. */
function decodedPromise(decoded: Promise<unknown>): TypeError {
  decoded.catch(() => {});
  return new TypeError('decode() returned a promise: wait for it with context.waitFor(promise)');
}

const MAX_CAUSE_LENGTH = 300;

function undecodable(
  { topic, partition, offset }: RawMessage,
  field: string,
  cause: unknown,
): TablogError {
  const where = `topic '${topic}', partition ${partition}, offset ${offset}`;
  const why = errorText(cause, MAX_CAUSE_LENGTH);
  return new TablogError(SERDE, `the ${field} of a record cannot be decoded (${where}): ${why}`, {
    details: { topic, partition, offset, field },
    cause,
  });
}
