import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OffsetRanges } from '../../demo/server/offset-ranges.ts';

test('knows an offset that came before, in whatever order they come', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30)), (offsets) => {
      const ranges = new OffsetRanges();
      const set = new Set<number>();
      for (const offset of offsets) {
        expect(ranges.add(offset)).toBe(!set.has(offset));
        set.add(offset);
      }
    }),
  );
});
