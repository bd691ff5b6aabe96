import { ABORTED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { RecordMetadata, Sink } from '../accumulator/partition-accumulator.ts';
import { lazyBatchFailure } from './lazy-batch-failure.ts';

/**
 * Collects the outcomes of the records of a call, and settles the call when the outcomes of all
 * `count` are known.
 */
export function collectResults<R extends RecordMetadata>(
  count: number,
  resolve: (results: R[]) => void,
  reject: (reason: unknown) => void,
): Sink<R> {
  const results: (R | Error)[] = Array.from({ length: count });
  let left = count;
  let isStored = true;
  return (index, result) => {
    results[index] = result;
    isStored &&= !(result instanceof Error);
    if (--left > 0) return;
    if (isStored) resolve(results as R[]);
    else lazyBatchFailure.load().then(({ failureOf }) => reject(failureOf(results)), reject);
  };
}

/** Settles the call of one record. A withdrawn record rejects with the reason of its signal. */
export function singleResult(
  resolve: (result: RecordMetadata) => void,
  reject: (reason: unknown) => void,
): Sink {
  return (_index, result) => {
    if (!(result instanceof Error)) return resolve(result);
    const isWithdrawn = result instanceof TablogError && result.code === ABORTED.code;
    reject(isWithdrawn ? result.cause : result);
  };
}
