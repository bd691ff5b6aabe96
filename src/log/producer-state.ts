import { FENCED, OUT_OF_ORDER_SEQUENCE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { MAX_IN_FLIGHT, RECENT_MS, sequenceAfter } from '../record/sequence.ts';

/** The producer that numbers a batch, -1: none; and the number. */
export interface Sequenced {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** A batch that was stored or refused. A retry of the batch gets the same answer. */
export interface KnownBatch {
  readonly sequence: number;
  readonly recordCount: number;
  /** The place of the batch, or `REFUSED`. */
  readonly baseOffset: number;
  /** The append time; for a refused batch, the end offset of the partition at that time. */
  readonly appendTime: number | null;
}

/**
 * The base offset of a batch that was in conflict. A refused batch uses up its sequence: a hung
 * worker can bring a copy of the batch later, and that copy must be refused too, even if the
 * partition ends at the expected offset by then.
 */
export const REFUSED = -1;

/**
 * The idempotent producers of a partition, in its head: a row of `ROW_LENGTH` numbers for each
 * producer, in the order of their last appends. A typed array, because every append reads and
 * writes the head, and structured cloning of objects takes ten times as long.
 *
 *     0  producer id
 *     1  producer epoch
 *     2  time of the last append, in milliseconds since 1970
 *     3  number of batches that follow, the oldest first; for each batch
 *        sequence, record count, base offset or `REFUSED`, append time or -1
 */
export type ProducerRows = Float64Array;

export const NO_PRODUCERS: ProducerRows = new Float64Array();

const BATCH_LENGTH = 4;
const HEADER_LENGTH = 4;
const ROW_LENGTH = HEADER_LENGTH + MAX_IN_FLIGHT * BATCH_LENGTH;

/** The most producers of a head. Those that have not appended for longest are forgotten. */
export const MAX_PRODUCERS = 64;

/**
 * The most producers that appended within `RECENT_MS`, and so may still send a batch again
 * (KIP-91).
 */
export const MAX_RECENT_PRODUCERS = 512;

/** Kafka's `producer.id.expiration.ms`. */
export const PRODUCER_EXPIRATION_MS = 86_400_000;

interface ProducerState {
  readonly id: number;
  readonly epoch: number;
  readonly usedAt: number;
  readonly batches: readonly KnownBatch[];
}

/** The producers of a partition during an append (Kafka's ProducerStateManager). */
export class ProducerStates {
  readonly #before: ProducerRows;
  readonly #now: number;
  /** The producers of this append, in the order of their batches. */
  readonly #changed = new Map<number, ProducerState>();

  constructor(rows: ProducerRows, now: number) {
    this.#before = rows;
    this.#now = now;
  }

  /**
   * `undefined` for a batch that is the next in order; the outcome of a batch that came before; the
   * error of a batch that cannot be stored: `FENCED`, `OUT_OF_ORDER_SEQUENCE`.
   *
   * Unlike in Kafka (KIP-360), an unknown producer has to begin at sequence 0: its first batch may
   * be late, and a later batch must not overtake it.
   */
  find(batch: Sequenced): KnownBatch | TablogError | undefined {
    const { producerId, producerEpoch, baseSequence, recordCount } = batch;
    if (producerId < 0) return undefined;
    const state = this.#get(producerId);
    if (state !== undefined && producerEpoch < state.epoch) return fenced(batch, state);
    if (state === undefined || producerEpoch > state.epoch) {
      return baseSequence === 0 ? undefined : outOfOrder(batch, 0);
    }
    const last = state.batches.at(-1)!;
    const expected = sequenceAfter(last.sequence, last.recordCount);
    if (baseSequence === expected) return undefined;
    const known = state.batches.find(
      (before) => before.sequence === baseSequence && before.recordCount === recordCount,
    );
    return known ?? outOfOrder(batch, expected);
  }

  /** Remembers the outcome of a batch. For `REFUSED`, `appendTime` is the end offset. */
  remember(batch: Sequenced, baseOffset: number, appendTime: number | null): void {
    const { producerId: id, producerEpoch: epoch, baseSequence: sequence, recordCount } = batch;
    if (id < 0) return;
    const state = this.#get(id);
    const before = state?.epoch === epoch ? state.batches : [];
    const known = { sequence, recordCount, baseOffset, appendTime };
    const batches = [...before, known].slice(-MAX_IN_FLIGHT);
    this.#changed.delete(id);
    this.#changed.set(id, { id, epoch, usedAt: this.#now, batches });
  }

  /** The producers to be stored in the head. */
  toRows(): ProducerRows {
    if (this.#changed.size === 0) return this.#before;
    const kept = rowsOf(this.#before).filter(
      ([id, , usedAt]) => !this.#changed.has(id!) && this.#now - usedAt! < PRODUCER_EXPIRATION_MS,
    );
    const all = [...kept, ...[...this.#changed.values()].map(toRow)];
    const recent = all
      .filter((row) => this.#now - row[2]! < RECENT_MS)
      .slice(-MAX_RECENT_PRODUCERS);
    const rows = all.slice(-Math.max(MAX_PRODUCERS, recent.length));
    const joined = new Float64Array(rows.length * ROW_LENGTH);
    rows.forEach((row, i) => joined.set(row, i * ROW_LENGTH));
    return joined;
  }

  #get(producerId: number): ProducerState | undefined {
    const changed = this.#changed.get(producerId);
    if (changed !== undefined) return changed;
    const row = rowsOf(this.#before).find(([id]) => id === producerId);
    return row === undefined ? undefined : fromRow(row);
  }
}

/** Whether the producers of a head can be those of a partition that ends at `endOffset`. */
export function producersFit(rows: ProducerRows, endOffset: number): boolean {
  if (rows.length % ROW_LENGTH !== 0) return false;
  return rowsOf(rows).every((row) => {
    const [id, epoch, , count] = row;
    if (!(id! >= 0 && epoch! >= 0 && count! >= 1 && count! <= MAX_IN_FLIGHT)) return false;
    return fromRow(row).batches.every(
      ({ sequence, recordCount, baseOffset }) =>
        sequence >= 0 && recordCount >= 1 && baseOffset >= REFUSED && baseOffset < endOffset,
    );
  });
}

function rowsOf(rows: ProducerRows): Float64Array[] {
  return Array.from({ length: rows.length / ROW_LENGTH }, (_, i) =>
    rows.subarray(i * ROW_LENGTH, (i + 1) * ROW_LENGTH),
  );
}

function toRow({ id, epoch, usedAt, batches }: ProducerState): Float64Array {
  const row = new Float64Array(ROW_LENGTH);
  row.set([id, epoch, usedAt, batches.length]);
  batches.forEach(({ sequence, recordCount, baseOffset, appendTime }, i) =>
    row.set(
      [sequence, recordCount, baseOffset, appendTime ?? -1],
      HEADER_LENGTH + i * BATCH_LENGTH,
    ),
  );
  return row;
}

function fromRow(row: Float64Array): ProducerState {
  const [id, epoch, usedAt, count] = row as unknown as [number, number, number, number];
  const batches = Array.from({ length: count }, (_, i): KnownBatch => {
    const at = HEADER_LENGTH + i * BATCH_LENGTH;
    const [sequence, recordCount, baseOffset, appendTime] = row.subarray(
      at,
      at + BATCH_LENGTH,
    ) as unknown as [number, number, number, number];
    return { sequence, recordCount, baseOffset, appendTime: appendTime < 0 ? null : appendTime };
  });
  return { id, epoch, usedAt, batches };
}

function fenced({ producerId, producerEpoch }: Sequenced, { epoch }: ProducerState): TablogError {
  return new TablogError(
    FENCED,
    `the producer ${producerId} is at epoch ${epoch}, and this batch of ${producerEpoch}`,
    { details: { producerId, producerEpoch, epoch } },
  );
}

function outOfOrder(
  { producerId, baseSequence, producerEpoch }: Sequenced,
  expected: number,
): TablogError {
  return new TablogError(
    OUT_OF_ORDER_SEQUENCE,
    `the producer ${producerId} sends sequence ${baseSequence} where ${expected} is the next`,
    { details: { producerId, producerEpoch, sequence: baseSequence, expected } },
  );
}
