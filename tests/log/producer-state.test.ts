import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TablogError } from '../../src/base/error.ts';
import {
  MAX_PRODUCERS,
  MAX_RECENT_PRODUCERS,
  NO_PRODUCERS,
  PRODUCER_EXPIRATION_MS,
  ProducerStates,
} from '../../src/log/producer-state.ts';
import type { KnownBatch, ProducerRows } from '../../src/log/producer-state.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { RECENT_MS } from '../../src/record/sequence.ts';
import { batchOf, recordOf } from '../support/batches.ts';

const LAST_SEQUENCE = 2 ** 31 - 1;

interface Spec {
  readonly id?: number;
  readonly epoch?: number;
  readonly sequence: number;
  readonly count?: number;
}

function batch({ id = 7, epoch = 0, sequence, count = 1 }: Spec): RecordBatch {
  const records = Array.from({ length: count }, () => recordOf());
  return new RecordBatch(batchOf(records, { producer: { id, epoch, sequence } }));
}

type Found = KnownBatch | TablogError | undefined;

/** What a partition remembers, from one append's transaction to the next. */
class Partition {
  rows: ProducerRows = NO_PRODUCERS;
  now = 1_000;
  endOffset = 0;

  /** Appends one batch as an append does, in a transaction of its own. */
  append(spec: Spec, appendTime: number | null = null): Found {
    const states = new ProducerStates(this.rows, this.now);
    const found = this.#append(states, batch(spec), appendTime);
    this.rows = states.toRows();
    return found;
  }

  /** Appends it whatever is known: as where the ones before it are forgotten. */
  begin(spec: Spec): void {
    const states = new ProducerStates(this.rows, this.now);
    states.remember(batch(spec), this.endOffset, null);
    this.rows = states.toRows();
    this.endOffset += spec.count ?? 1;
  }

  /** Whether the producer's first batch would be known if it came again. */
  knows(id: number): boolean {
    return this.find({ id, sequence: 0 }) !== undefined;
  }

  appendTogether(...specs: readonly Spec[]): Found[] {
    const states = new ProducerStates(this.rows, this.now);
    const found = specs.map((spec) => this.#append(states, batch(spec), null));
    this.rows = states.toRows();
    return found;
  }

  find(spec: Spec): Found {
    return new ProducerStates(this.rows, this.now).find(batch(spec));
  }

  #append(states: ProducerStates, batch: RecordBatch, appendTime: number | null): Found {
    const found = states.find(batch);
    if (found !== undefined) return found;
    states.remember(batch, this.endOffset, appendTime);
    this.endOffset += batch.recordCount;
    return undefined;
  }
}

const NEW = undefined;

function outOfOrder(sequence: number, expected: number): object {
  return { code: 'OUT_OF_ORDER_SEQUENCE', details: { sequence, expected } };
}

describe('a batch that comes once more', () => {
  test('has the place that it got first, with the time of that append', () => {
    const partition = new Partition();
    partition.append({ sequence: 0, count: 3 }, 5_000);
    partition.append({ sequence: 3, count: 2 });
    partition.now += 1_000;
    const first = { sequence: 0, recordCount: 3, baseOffset: 0, appendTime: 5_000 };
    const second = { sequence: 3, recordCount: 2, baseOffset: 3, appendTime: null };
    expect(partition.append({ sequence: 0, count: 3 }, 9_000)).toEqual(first);
    expect(partition.append({ sequence: 3, count: 2 })).toEqual(second);
    expect(partition.endOffset).toBe(5);
  });

  test('keeps an append time of 0', () => {
    const partition = new Partition();
    partition.append({ sequence: 0 }, 0);
    expect(partition.find({ sequence: 0 })).toMatchObject({ appendTime: 0 });
  });

  test('is known in the transaction that stores it too', () => {
    const partition = new Partition();
    expect(partition.appendTogether({ sequence: 0 }, { sequence: 1 }, { sequence: 0 })).toEqual([
      NEW,
      NEW,
      { sequence: 0, recordCount: 1, baseOffset: 0, appendTime: null },
    ]);
  });

  test('is known as long as it is one of the last five', () => {
    const partition = new Partition();
    for (let sequence = 0; sequence < 6; sequence++) partition.append({ sequence });
    expect(partition.find({ sequence: 0 })).toMatchObject(outOfOrder(0, 6));
    for (let sequence = 1; sequence < 6; sequence++) {
      expect(partition.find({ sequence })).toMatchObject({ baseOffset: sequence });
    }
  });

  test('is another one where it has another number of records', () => {
    const partition = new Partition();
    partition.append({ sequence: 0, count: 2 });
    expect(partition.find({ sequence: 0, count: 1 })).toMatchObject(outOfOrder(0, 2));
  });
});

describe('a batch out of order', () => {
  test('is one with a gap before it, and changes nothing', () => {
    const partition = new Partition();
    partition.append({ sequence: 0, count: 2 });
    const { rows } = partition;
    const error = partition.append({ sequence: 3 });
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toMatchObject({
      ...outOfOrder(3, 2),
      details: { producerId: 7, producerEpoch: 0, sequence: 3, expected: 2 },
    });
    expect(partition.rows).toBe(rows);
    expect(partition.append({ sequence: 2 })).toBe(NEW);
  });

  test('of an older epoch is FENCED, also one that was stored', () => {
    const partition = new Partition();
    partition.append({ epoch: 2, sequence: 0 });
    partition.append({ epoch: 3, sequence: 0 });
    for (const sequence of [0, 1, 9]) {
      expect(partition.append({ epoch: 2, sequence })).toMatchObject({
        code: 'FENCED',
        details: { producerId: 7, producerEpoch: 2, epoch: 3 },
      });
    }
    expect(partition.append({ epoch: 3, sequence: 1 })).toBe(NEW);
  });

  test('of a newer epoch is one that does not begin at 0', () => {
    const partition = new Partition();
    partition.append({ sequence: 0 });
    expect(partition.append({ epoch: 1, sequence: 1 })).toMatchObject(outOfOrder(1, 0));
    expect(partition.append({ epoch: 0, sequence: 1 })).toBe(NEW); // the epoch did not begin
    expect(partition.append({ epoch: 1, sequence: 0 })).toBe(NEW);
    expect(partition.append({ epoch: 1, sequence: 1 })).toBe(NEW);
  });

  test('is not what a new epoch begins with: its own numbers count', () => {
    const partition = new Partition();
    for (let sequence = 0; sequence < 3; sequence++) partition.append({ sequence });
    partition.append({ epoch: 1, sequence: 0 });
    expect(partition.find({ epoch: 1, sequence: 0 })).toMatchObject({ baseOffset: 3 });
    expect(partition.find({ epoch: 1, sequence: 2 })).toMatchObject(outOfOrder(2, 1));
  });
});

describe('sequences go on from 0 after 2^31 - 1', () => {
  test.each([
    ['within a batch', LAST_SEQUENCE - 1, 3, 1],
    ['between two', LAST_SEQUENCE, 1, 0],
  ])('%s', (_, sequence, count, next) => {
    const partition = new Partition();
    partition.begin({ sequence, count });
    expect(partition.find({ sequence: next + 1 })).toMatchObject(outOfOrder(next + 1, next));
    expect(partition.append({ sequence: next })).toBe(NEW);
    expect(partition.append({ sequence, count })).toMatchObject({ sequence, baseOffset: 0 });
    expect(partition.append({ sequence: next + 1 })).toBe(NEW);
  });
});

describe('nothing is remembered', () => {
  test('of batches without a producer, however often they come', () => {
    const partition = new Partition();
    for (let i = 0; i < 3; i++) expect(partition.append({ id: -1, sequence: -1 })).toBe(NEW);
    expect(partition.rows).toBe(NO_PRODUCERS);
  });

  test('anew where nothing was appended: the rows are the very same array', () => {
    const partition = new Partition();
    partition.append({ sequence: 0 });
    const { rows } = partition;
    partition.now += 2 * PRODUCER_EXPIRATION_MS;
    partition.append({ sequence: 0 }); // once more
    partition.append({ sequence: 5 }); // out of order
    partition.append({ id: -1, sequence: -1 });
    expect(partition.rows).toBe(rows);
  });

  test('into the array that was given: a transaction that fails leaves it as it was', () => {
    const partition = new Partition();
    partition.append({ sequence: 0 });
    const { rows } = partition;
    const before = rows.slice();
    partition.append({ sequence: 1 });
    expect(rows).toEqual(before);
    expect(partition.rows).not.toBe(rows);
  });
});

describe('producers are forgotten', () => {
  test('24 hours after their last append, by the next append of anybody', () => {
    const partition = new Partition();
    partition.append({ id: 1, sequence: 0 });
    partition.now += PRODUCER_EXPIRATION_MS - 1;
    partition.append({ id: 2, sequence: 0 });
    expect(partition.knows(1)).toBe(true);
    partition.now += 1;
    partition.append({ id: 2, sequence: 1 });
    expect(partition.knows(1)).toBe(false);
    expect(partition.knows(2)).toBe(true);
  });

  test('not as long as they append', () => {
    const partition = new Partition();
    for (let sequence = 0; sequence < 5; sequence++) {
      partition.append({ id: 1, sequence });
      partition.now += PRODUCER_EXPIRATION_MS - 1;
    }
    partition.append({ id: 2, sequence: 0 });
    expect(partition.find({ id: 1, sequence: 4 })).toMatchObject({ baseOffset: 4 });
  });

  test('not by a clock that goes back', () => {
    const partition = new Partition();
    partition.now = 10 * PRODUCER_EXPIRATION_MS;
    partition.append({ id: 1, sequence: 0 });
    partition.now = 0;
    partition.append({ id: 2, sequence: 0 });
    expect(partition.find({ id: 1, sequence: 0 })).toMatchObject({ baseOffset: 0 });
  });

  test('beyond 64, the one that has not appended for longest', () => {
    const partition = new Partition();
    for (let id = 0; id < MAX_PRODUCERS; id++) partition.append({ id, sequence: 0 });
    const full = partition.rows.length;
    expect(partition.knows(0)).toBe(true);
    partition.append({ id: 0, sequence: 1 }); // so 1 is the oldest
    partition.now += RECENT_MS;
    partition.append({ id: 1_000, sequence: 0 });
    expect(partition.rows.length).toBe(full);
    expect([0, 1, 2, 1_000].map((id) => partition.knows(id))).toEqual([true, false, true, true]);
  });

  test('not where they may still send something again, up to 512 of them', () => {
    const partition = new Partition();
    for (let id = 0; id <= MAX_PRODUCERS; id++) partition.append({ id, sequence: 0 });
    expect(partition.knows(0)).toBe(true);
    partition.now += RECENT_MS;
    partition.append({ id: 1_000, sequence: 0 });
    expect([0, 1, 2, 3].map((id) => partition.knows(id))).toEqual([false, false, true, true]);
  });

  test('also where one transaction brings more than 512', () => {
    const partition = new Partition();
    const ids = Array.from({ length: MAX_RECENT_PRODUCERS + 3 }, (_, id) => id);
    partition.appendTogether(...ids.map((id) => ({ id, sequence: 0 })), { id: 1, sequence: 1 });
    expect(ids.filter((id) => !partition.knows(id))).toEqual([0, 2, 3]);
  });

  test('and what they begin with at 0 then is new', () => {
    const partition = new Partition();
    partition.append({ id: 1, sequence: 0 });
    partition.now += PRODUCER_EXPIRATION_MS;
    partition.append({ id: 2, sequence: 0 });
    expect(partition.append({ id: 1, sequence: 0 })).toBe(NEW);
    expect(partition.append({ id: 1, sequence: 1 })).toBe(NEW);
  });
});

test('ids, sequences and offsets are exact up to the largest safe integer', () => {
  const partition = new Partition();
  const id = Number.MAX_SAFE_INTEGER;
  partition.endOffset = Number.MAX_SAFE_INTEGER - 1;
  partition.begin({ id, epoch: 32_767, sequence: LAST_SEQUENCE });
  expect(partition.find({ id, epoch: 32_767, sequence: LAST_SEQUENCE })).toEqual({
    sequence: LAST_SEQUENCE,
    recordCount: 1,
    baseOffset: Number.MAX_SAFE_INTEGER - 1,
    appendTime: null,
  });
  expect(partition.find({ id: id - 1, sequence: 0 })).toBe(NEW);
});

/** One batch, by what it is to its producer; `commits`: the transaction ends after it. */
const anyStep = fc.record({
  id: fc.nat({ max: 4 }),
  kind: fc.constantFrom('next', 'next', 'next', 'again', 'gap', 'olderEpoch', 'newerEpoch'),
  back: fc.integer({ min: 1, max: 7 }),
  count: fc.integer({ min: 1, max: 3 }),
  first: fc.constantFrom(0, 0, 1),
  ms: fc.constantFrom(0, 1, PRODUCER_EXPIRATION_MS / 2),
  commits: fc.boolean(),
});

type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

/** What is known of one producer, as plain as can be: every batch of its epoch. */
interface Known {
  epoch: number;
  usedAt: number;
  readonly batches: KnownBatch[];
}

/** The batch that a step means, by what the model knows. */
function specOf({ id, kind, back, count, first }: Step, known: Known | undefined): Required<Spec> {
  const begin = LAST_SEQUENCE - 4; // so that it wraps around soon
  if (known === undefined) return { id, epoch: 3, sequence: begin, count };
  const { epoch, batches } = known;
  const last = batches.at(-1)!;
  const next = (last.sequence + last.recordCount) % 2 ** 31;
  const old = batches.at(-back);
  if (kind === 'again' && old !== undefined) {
    return { id, epoch, sequence: old.sequence, count: old.recordCount };
  }
  if (kind === 'gap') return { id, epoch, sequence: (next + back) % 2 ** 31, count };
  if (kind === 'olderEpoch') return { id, epoch: epoch - 1, sequence: next, count };
  if (kind === 'newerEpoch') return { id, epoch: epoch + back, sequence: first, count };
  return { id, epoch, sequence: next, count };
}

/** What must be found: a code, a base offset, or nothing. */
function expectedOf(spec: Required<Spec>, known: Known | undefined): string | number | undefined {
  if (known === undefined) return undefined;
  if (spec.epoch < known.epoch) return 'FENCED';
  if (spec.epoch > known.epoch) return spec.sequence === 0 ? undefined : 'OUT_OF_ORDER_SEQUENCE';
  const last = known.batches.at(-1)!;
  if (spec.sequence === (last.sequence + last.recordCount) % 2 ** 31) return undefined;
  const again = known.batches
    .slice(-5)
    .find((old) => old.sequence === spec.sequence && old.recordCount === spec.count);
  return again?.baseOffset ?? 'OUT_OF_ORDER_SEQUENCE';
}

test('whatever comes, it is known what a plain list of batches knows', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const model = new Map<number, Known>();
      let now = 0;
      let endOffset = 0;
      let states = new ProducerStates(NO_PRODUCERS, now);
      let stored = false;
      for (const step of steps) {
        const known = model.get(step.id);
        const spec = specOf(step, known);
        const found = known === undefined ? NEW : states.find(batch(spec));
        const told = found instanceof TablogError ? found.code : found?.baseOffset;
        expect(told).toBe(expectedOf(spec, known));
        if (found === NEW) {
          states.remember(batch(spec), endOffset, null);
          const before = known?.epoch === spec.epoch ? known.batches : [];
          const { sequence, count: recordCount } = spec;
          const added = { sequence, recordCount, baseOffset: endOffset, appendTime: null };
          model.set(step.id, { epoch: spec.epoch, usedAt: now, batches: [...before, added] });
          endOffset += recordCount;
          stored = true;
        }
        if (!step.commits) continue;
        if (stored) {
          for (const [id, { usedAt }] of model) {
            if (now - usedAt >= PRODUCER_EXPIRATION_MS) model.delete(id);
          }
        }
        now += step.ms;
        stored = false;
        states = new ProducerStates(structuredClone(states.toRows()), now);
      }
    }),
    { numRuns: 300 },
  );
});
