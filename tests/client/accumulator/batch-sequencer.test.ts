import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchSequencer } from '../../../src/client/accumulator/batch-sequencer.ts';
import type { Numbered } from '../../../src/client/accumulator/batch-sequencer.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { batchOf, recordOf } from '../../support/batches.ts';

const ID = 42;

const newSequence = (): BatchSequencer => new BatchSequencer({ id: ID, epoch: 0 });

type Batch = Numbered & { readonly bytes: Uint8Array<ArrayBuffer> };

function batch(recordCount = 1): Batch {
  const records = Array.from({ length: recordCount }, () => recordOf());
  return { bytes: batchOf(records), recordCount, isRaw: false, number: undefined };
}

/** Numbers batches of these many records, one after the other. */
function numbered(sequence: BatchSequencer, ...counts: readonly number[]): Batch[] {
  const batches = counts.map((count) => batch(count));
  for (const each of batches) sequence.number(each);
  return batches;
}

const sequencesOf = (batches: readonly Batch[]): (number | undefined)[] =>
  batches.map(({ number }) => number?.sequence);

describe('batches are numbered', () => {
  test('by the records before them, in their bytes', () => {
    const batches = numbered(newSequence(), 3, 1, 2);
    expect(batches.map(({ number }) => number)).toEqual(
      [0, 3, 4].map((sequence) => ({ id: ID, epoch: 0, sequence })),
    );
    expect(batches.map(({ bytes }) => new RecordBatch(bytes))).toMatchObject(
      [0, 3, 4].map((baseSequence) => ({ producerId: ID, producerEpoch: 0, baseSequence })),
    );
  });

  test('once: one that is sent again keeps its number, and takes none', () => {
    const sequence = newSequence();
    const [first, second] = numbered(sequence, 2, 2) as [Batch, Batch];
    sequence.number(first);
    sequence.number(second);
    expect(sequencesOf([first, second, ...numbered(sequence, 1)])).toEqual([0, 2, 4]);
  });
});

describe('a batch that is not sent any more', () => {
  test('gives its number back, where it is the last and certainly not stored', () => {
    const sequence = newSequence();
    const [, second] = numbered(sequence, 2, 3) as [Batch, Batch];
    sequence.drop(second, true);
    expect(sequence.isBroken).toBe(false);
    expect(numbered(sequence, 1)[0]!.number).toEqual({ id: ID, epoch: 0, sequence: 2 });
  });

  test.each([
    ['may be stored', 1, false],
    ['has others after it', 0, true],
    ['has others after it and may be stored', 0, false],
  ])('breaks the epoch, where it %s', (_, which, isKnown) => {
    const sequence = newSequence();
    const batches = numbered(sequence, 2, 3);
    sequence.drop(batches[which]!, isKnown);
    expect(sequence.isBroken).toBe(true);
    expect(numbered(sequence, 2, 1).map(({ number }) => number)).toEqual([
      { id: ID, epoch: 1, sequence: 0 },
      { id: ID, epoch: 1, sequence: 2 },
    ]);
    expect(sequence.isBroken).toBe(false);
  });

  test('changes nothing, where it never had a number', () => {
    const sequence = newSequence();
    numbered(sequence, 1);
    sequence.drop(batch(), false);
    expect(sequence.isBroken).toBe(false);
    expect(sequencesOf(numbered(sequence, 1))).toEqual([1]);
  });

  test('changes nothing, where it is of an epoch that has passed', () => {
    const sequence = newSequence();
    const [first, second] = numbered(sequence, 1, 1) as [Batch, Batch];
    sequence.drop(first, false);
    numbered(sequence, 1);
    sequence.drop(second, false);
    expect(sequence.isBroken).toBe(false);
    expect(sequencesOf(numbered(sequence, 1))).toEqual([1]);
  });
});

test('what was numbered before the epoch broke is numbered anew, in its bytes too', () => {
  const sequence = newSequence();
  const [first, second, third] = numbered(sequence, 2, 3, 1) as [Batch, Batch, Batch];
  sequence.drop(first, false);
  sequence.number(second);
  sequence.number(third);
  expect(sequencesOf([second, third])).toEqual([0, 3]);
  expect(new RecordBatch(third.bytes)).toMatchObject({ producerEpoch: 1, baseSequence: 3 });
});

test('numbers go on from 0 after 2^31 - 1, and one after that can be given back', () => {
  const sequence = newSequence();
  const nearly = { ...batch(), recordCount: 2 ** 31 - 2 };
  sequence.number(nearly);
  const [across, after] = numbered(sequence, 3, 1) as [Batch, Batch];
  expect(sequencesOf([across, after])).toEqual([2 ** 31 - 2, 1]);
  sequence.drop(after, true);
  sequence.drop(across, true);
  expect(sequence.isBroken).toBe(false);
  expect(sequencesOf(numbered(sequence, 1))).toEqual([2 ** 31 - 2]);
});

test('after epoch 32767 comes another id', () => {
  const sequence = newSequence();
  const breakEpoch = (): void => sequence.drop(numbered(sequence, 1)[0]!, false);
  for (let epoch = 0; epoch < 32_767; epoch++) breakEpoch();
  const [last] = numbered(sequence, 1);
  expect(last!.number).toEqual({ id: ID, epoch: 32_767, sequence: 0 });
  breakEpoch();
  const [first, second] = numbered(sequence, 2, 1) as [Batch, Batch];
  expect(first.number).toMatchObject({ epoch: 0, sequence: 0 });
  expect(first.number!.id).not.toBe(ID);
  expect(Number.isSafeInteger(first.number!.id) && first.number!.id >= 0).toBe(true);
  expect(second.number).toEqual({ ...first.number, sequence: 2 });
  expect(new RecordBatch(second.bytes).producerId).toBe(first.number!.id);
});

test('whatever is dropped, the numbers of an epoch have no gap and none comes twice', () => {
  const anyStep = fc.record({
    count: fc.integer({ min: 1, max: 4 }),
    drop: fc.constantFrom(undefined, 'last', 'earlier'),
    isKnown: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const sequence = newSequence();
      let live: Batch[] = [];
      for (const { count, drop, isKnown } of steps) {
        const wasBroken = sequence.isBroken;
        const [added] = numbered(sequence, count);
        // Nothing of the epoch before is under way any more.
        live = wasBroken ? [added!] : [...live, added!];
        expect(sequencesOf(live)).toEqual(
          live.map((_, i) =>
            live.slice(0, i).reduce((sum, { recordCount }) => sum + recordCount, 0),
          ),
        );
        if (drop === undefined) continue;
        const dropped = drop === 'last' ? live.at(-1)! : live[0]!;
        sequence.drop(dropped, isKnown);
        const givenBack = isKnown && dropped === live.at(-1);
        expect(sequence.isBroken).toBe(!givenBack);
        if (givenBack) live.pop();
      }
    }),
  );
});
