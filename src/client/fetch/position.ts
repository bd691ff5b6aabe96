import { checkInteger, mistake } from '../../base/argument.ts';
import { timeOf } from '../../base/brand.ts';
import type { PositionSpec } from '../../protocol/fetch.ts';

/**
 * A position in a partition: its first record, its end, an offset, or the first record at or after
 * a time.
 */
export type Position = 'earliest' | 'latest' | number | Date;

/** The position as the broker takes it. Throws a `TypeError` or `RangeError` for anything else. */
export function checkPosition(position: Position): PositionSpec {
  if (position === 'earliest' || position === 'latest') return { at: position };
  const time = timeOf(position) ?? NaN;
  if (!Number.isNaN(time)) return { at: time };
  if (typeof position === 'number') {
    checkInteger('an offset', position, 0);
    return { offset: position };
  }
  throw mistake("a position must be 'earliest', 'latest', an offset or a Date", position);
}
