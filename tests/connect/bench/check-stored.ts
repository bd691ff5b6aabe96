import { WARM_UP_MARK } from './job.ts';

/** Throws unless the values have each number once, in the order of its partition. */
export function checkStored(
  values: readonly string[],
  { records, partitions }: { readonly records: number; readonly partitions: number },
): void {
  const numbers = values.filter((value) => !value.startsWith(WARM_UP_MARK)).map(Number.parseFloat);
  const next = Array.from({ length: partitions }, (_, partition) => partition);
  for (const number of numbers) {
    const partition = number % partitions;
    const expected = next[partition];
    if (number !== expected) {
      throw new Error(`the far end has ${number} where ${expected} is next: this run is void`);
    }
    next[partition] = number + partitions;
  }
  if (numbers.length === records) return;
  throw new Error(`the far end has ${numbers.length} of ${records} records: this run is void`);
}
