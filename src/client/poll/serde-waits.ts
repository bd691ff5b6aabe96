import { abortable } from '../../base/abortable.ts';
import { maySucceedLater } from '../../base/error.ts';
import { errorText } from '../../base/error-text.ts';
import { BackOff } from '../../platform/retry.ts';
import type { Connection } from '../connection/connection.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { DecodeFailure } from '../message/decode-record.ts';
import { MAX_WAITS, endlessWait } from '../topics/endless-wait.ts';
import type { SerdeWait } from '../topics/serde-context.ts';

/** A record whose serde waits. The record stays the next one of its partition. */
export interface WaitingRecord {
  readonly reader: PartitionReader;
  readonly wait: SerdeWait;
  readonly connection: Connection;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly fetcher: Fetcher;
}

/** The waits of a serde for one record. */
interface Tries {
  readonly seekVersion: number;
  readonly offset: number;
  waits: number;
  /** The number of failed waits in a row. */
  failures: number;
  readonly backOff: BackOff;
}

const triesOf = new WeakMap<PartitionReader, Tries>();

/** An unreachable registry is reported after this many failures in a row, some 0.5 s. */
const FAILURES_BEFORE_WARNING = 3;

const MAX_CAUSE_LENGTH = 300;

/**
 * Makes the reader call the serde again: when the promise of the serde has resolved, or after a
 * back-off when it was rejected. Where every further call would fail alike, the record counts as
 * undecodable.
 */
export function awaitSerde(record: WaitingRecord): void {
  void endWait(record); // never rejects
}

async function endWait(record: WaitingRecord): Promise<void> {
  const { reader, wait, closing, fetcher } = record;
  const tries = countedTries(record);
  const { field } = wait;
  let failure: DecodeFailure | undefined;
  try {
    await abortable(closing, Promise.resolve(wait.promise));
    tries.failures = 0;
    tries.backOff.succeeded();
    if (tries.waits >= MAX_WAITS) failure = { field, cause: endlessWait(wait) };
  } catch (error) {
    if (closing.aborted) return;
    if (isTransient(error)) {
      tries.waits--; // a failed look-up does not count towards MAX_WAITS
      if (++tries.failures === FAILURES_BEFORE_WARNING) warn(reader, wait, tries, error);
      await tries.backOff.failed();
    } else failure = { field, cause: error };
  }
  if (reader.resume(wait, failure)) fetcher.wake();
}

function countedTries({ reader, connection, closing }: WaitingRecord): Tries {
  const { position: offset } = reader;
  const { seekVersion } = reader.state;
  let tries = triesOf.get(reader);
  if (tries?.seekVersion !== seekVersion || tries.offset !== offset) {
    const backOff = new BackOff(connection, closing);
    tries = { seekVersion, offset, waits: 0, failures: 0, backOff };
    triesOf.set(reader, tries);
  }
  tries.waits++;
  return tries;
}

function warn(
  { partition }: PartitionReader,
  { topic, field }: SerdeWait,
  { offset, failures }: Tries,
  error: unknown,
): void {
  // oxlint-disable-next-line eslint/no-console -- for developers, once a record
  console.warn(
    `tablog: partition ${partition} of '${topic}' waits at offset ${offset}, because what its ` +
      `${field} serde waits for has failed ${failures} times (${errorText(error, MAX_CAUSE_LENGTH)}). ` +
      'It goes on by itself when that succeeds.',
  );
}

/** Whether another look-up may succeed, as it may unless the error says otherwise. */
function isTransient(error: unknown): boolean {
  if (maySucceedLater(error)) return true;
  return (error as { readonly retriable?: unknown } | null | undefined)?.retriable !== false;
}
