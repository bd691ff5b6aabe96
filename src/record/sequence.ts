/** Sequences count a producer's records of a partition, from 0 to 2^31 - 1 and on from 0. */
const SEQUENCES = 2 ** 31;

/** The sequence of the batch after one of `recordCount` records at `sequence`. */
export function sequenceAfter(sequence: number, recordCount: number): number {
  return (sequence + recordCount) % SEQUENCES;
}

/** Whether a sequence comes after `expected`; half the circle is before it. */
export function isAhead(sequence: number, expected: number): boolean {
  const distance = (sequence - expected + SEQUENCES) % SEQUENCES;
  return distance > 0 && distance < SEQUENCES / 2;
}
