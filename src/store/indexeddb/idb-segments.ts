import { onSuccess } from './idb-request.ts';
import type { SegmentsRequest, StoredSegment } from '../store.ts';
import { segmentBytes } from '../stored-row.ts';

/** The most segments of one `getAll`: 64 segments of 1 MiB bound the cost of a wrong estimate. */
const MAX_SEGMENTS_A_READ = 64;

/** A `SegmentsRead` that is being filled. */
export interface FoundSegments {
  head: unknown;
  readonly segments: StoredSegment[];
  nextBaseOffset: number | undefined;
}

/** Reads the segment that covers `from` and those after it. */
export function readSegmentsFrom(
  store: IDBObjectStore,
  request: SegmentsRequest,
  into: FoundSegments,
): void {
  const { from } = request;
  onSuccess(store.openKeyCursor(IDBKeyRange.upperBound(from), 'prev'), (cursor) => {
    readOn(store, cursor === null ? from : (cursor.key as number), request, into);
  });
}

/**
 * Reads segments from `first` on: one segment, then at most twice as many with each request, until
 * `maxBytes` or `maxRows` is reached.
 */
function readOn(
  store: IDBObjectStore,
  first: number,
  { maxBytes, maxRows = Infinity }: SegmentsRequest,
  into: FoundSegments,
): void {
  const { segments } = into;
  let bytes = 0;
  const step = (from: number, count: number): void => {
    let keys: number[] = [];
    onSuccess(store.getAllKeys(numbersFrom(from), count + 1), (found) => {
      keys = found as number[];
    });
    onSuccess(store.getAll(numbersFrom(from), count), (values: unknown[]) => {
      let taken = 0;
      for (; taken < values.length && (bytes < maxBytes || segments.length === 0); taken++) {
        const segment = { baseOffset: keys[taken]!, bytes: segmentBytes(values[taken]) };
        segments.push(segment);
        bytes += segment.bytes.byteLength;
      }
      const next = keys[taken];
      into.nextBaseOffset = next;
      if (next === undefined || bytes >= maxBytes || segments.length >= maxRows) return;
      const wanted = Math.ceil((maxBytes - bytes) / Math.max(bytes / segments.length, 1));
      const most = Math.min(MAX_SEGMENTS_A_READ, maxRows - segments.length);
      step(next, Math.min(wanted, segments.length * 2, most));
    });
  };
  step(first, 1);
}

function numbersFrom(first: number): IDBKeyRange {
  return IDBKeyRange.bound(first, Infinity);
}
