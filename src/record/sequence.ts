/** A sequence counts a producer's records of a partition, from 0 to 2^31 - 1, and wraps to 0. */
const SEQUENCES = 2 ** 31;

/** The highest producer epoch: the batch header has a signed 16-bit field. */
export const MAX_EPOCH = 32_767;

/**
 * The most unanswered batches of a producer to a partition (Kafka's
 * `max.in.flight.requests.per.connection`, here for each partition). The partition remembers as
 * many batches of each producer, because each unanswered batch can be sent again.
 */
export const MAX_IN_FLIGHT = 5;

/**
 * A producer sends a batch again for less than this time (KIP-91), and a partition remembers the
 * batch for at least this time.
 */
export const RECENT_MS = 300_000;

/** The sequence of the batch after one of `recordCount` records at `sequence`. */
export function sequenceAfter(sequence: number, recordCount: number): number {
  return (sequence + recordCount) % SEQUENCES;
}

/** Whether a sequence comes after `expected`: sequences wrap, so half of all others are ahead. */
export function isAhead(sequence: number, expected: number): boolean {
  const distance = (sequence - expected + SEQUENCES) % SEQUENCES;
  return distance > 0 && distance < SEQUENCES / 2;
}
