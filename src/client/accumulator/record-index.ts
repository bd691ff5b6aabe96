import { isError } from '../../base/brand.ts';
import { TablogError } from '../../base/error.ts';

/**
 * The error of a record, with the record's index where the call has several records: nobody finds
 * one mistake among a thousand records without it. Any other thrown value stays as it is.
 */
export function withIndex(error: unknown, index: number, count: number): unknown {
  if (count < 2 || !isError(error)) return error;
  if (error instanceof TablogError) return error.at(`record ${index}`, { index });
  const { message } = error;
  const text = `${message} (record ${index} of ${count})`;
  if (error instanceof RangeError) return new RangeError(text, { cause: error });
  return error instanceof TypeError ? new TypeError(text, { cause: error }) : error;
}
