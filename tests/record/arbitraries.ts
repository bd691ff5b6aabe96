import fc from 'fast-check';
import type { Field, RecordParts } from '../../src/record/batch-writer.ts';

/** Any text that has a UTF-8: every plane, controls, the byte order mark, and often plain ASCII. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', '__proto__', 'constructor', '\uFEFF', '\uFEFFx', '🚀', 'é'.repeat(49)),
);

export const anyBytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 200 });

export const anyField: fc.Arbitrary<Field> = fc.oneof(fc.constant(null), anyText, anyBytes);

/** All that the writer promises: deltas of any two of them fit a varlong of 53 bits. */
export const anyTimestamp: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: 0, max: 2 ** 52 - 1 }),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32, 2 ** 52 - 1),
);

export const anyRecord: fc.Arbitrary<RecordParts> = fc.record({
  key: anyField,
  value: anyField,
  headers: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.tuple(anyText, anyField), { maxLength: 5 }) },
  ),
  timestamp: anyTimestamp,
});

export const anyRecords: fc.Arbitrary<RecordParts[]> = fc.array(anyRecord, {
  minLength: 1,
  maxLength: 12,
});
