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

/** A record that stays the next one of its partition, because its serde waits. */
export interface WaitingRecord {
  readonly reader: PartitionReader;
  readonly wait: SerdeWait;
  readonly connection: Connection;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly fetcher: Fetcher;
}

/** How often a serde has waited for one record. */
interface Tries {
  readonly seekVersion: number;
  readonly offset: number;
  waits: number;
  /** Waits in a row that failed. */
  failures: number;
  readonly backOff: BackOff;
}

const triesOf = new WeakMap<PartitionReader, Tries>();

/** A registry that is away is told of after so many failures in a row, some 0.5 s. */
const FAILURES_TO_TELL = 3;

const MAX_CAUSE_LENGTH = 300;

/**
 * Has the serde called again: when its promise has resolved, or some time after it rejected. Where
 * every further call would fail alike, the record cannot be decoded.
 */
export function awaitSerde(record: WaitingRecord): void {
  void endWait(record); // it never rejects
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
    if (mayPass(error)) {
      tries.waits--; // a failure says nothing about what the next answer changes
      if (++tries.failures === FAILURES_TO_TELL) tell(reader, wait, tries, error);
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

function tell(
  { partition }: PartitionReader,
  { topic, field }: SerdeWait,
  { offset, failures }: Tries,
  error: unknown,
): void {
  // oxlint-disable-next-line eslint/no-console -- said to developers, once a record
  console.warn(
    `tablog: partition ${partition} of '${topic}' waits at offset ${offset}, because what its ` +
      `${field} serde waits for has failed ${failures} times (${errorText(error, MAX_CAUSE_LENGTH)}). ` +
      'It goes on by itself when that succeeds.',
  );
}

/** Whether another look-up may succeed: so it is, unless the error says otherwise. */
function mayPass(error: unknown): boolean {
  if (maySucceedLater(error)) return true;
  return (error as { readonly retriable?: unknown } | null | undefined)?.retriable !== false;
}
