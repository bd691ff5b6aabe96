/** Sequences count a producer's records of a partition, from 0 to 2^31 - 1 and on from 0. */
const SEQUENCES = 2 ** 31;

/** The sequence of the batch after one of `recordCount` records at `sequence`. */
export function sequenceAfter(sequence: number, recordCount: number): number {
  return (sequence + recordCount) % SEQUENCES;
}
