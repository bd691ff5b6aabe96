/**
 * The result for each value, in order. Equal values share one call: a request may name one topic
 * many times, which is not to cost more than naming it once.
 */
export function mapDistinct<T, Result>(
  values: readonly T[],
  work: (value: T) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<T, Promise<Result>>();
  return Promise.all(
    values.map((value) => {
      const known = results.get(value);
      if (known !== undefined) return known;
      const result = work(value);
      results.set(value, result);
      return result;
    }),
  );
}
