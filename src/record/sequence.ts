/** Sequences count a producer's records of a partition, from 0 to 2^31 - 1 and on from 0. */
const SEQUENCES = 2 ** 31;

/** Of a producer; the header has 16 bits for it. */
export const MAX_EPOCH = 32_767;

/**
 * So many batches of a producer may be under way to a partition, which remembers as many: each of them
 * can come twice. Kafka's `max.in.flight.requests.per.connection`, here for each partition.
 */
export const MAX_IN_FLIGHT = 5;

/** A partition remembers them for as long at the least; nothing is sent again later (KIP-91). */
export const RECENT_MS = 300_000;

/** The sequence of the batch after one of `recordCount` records at `sequence`. */
export function sequenceAfter(sequence: number, recordCount: number): number {
  return (sequence + recordCount) % SEQUENCES;
}

/** Whether a sequence comes after `expected`; half the circle is before it. */
export function isAhead(sequence: number, expected: number): boolean {
  const distance = (sequence - expected + SEQUENCES) % SEQUENCES;
  return distance > 0 && distance < SEQUENCES / 2;
}
