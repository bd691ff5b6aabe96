import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { Queue, Turns } from '../../src/base/queue.ts';

test('a queue is an array that is pushed at one end and shifted at the other', () => {
  const anyStep = fc.oneof(
    { weight: 3, arbitrary: fc.integer() },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
  );
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
      const queue = new Queue<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step === 'shift') {
          expect(queue.shift()).toBe(model.shift());
        } else {
          queue.push(step);
          model.push(step);
        }
        expect(queue.length).toBe(model.length);
        expect(queue.last).toBe(model.at(-1));
      }
    }),
  );
});

test('turns come one after the other, and an error ends only its own', async () => {
  const turns = new Turns();
  const began: string[] = [];
  const first = deferred();
  const a = turns.next(() => {
    began.push('a');
    return first.promise.then(() => {
      throw new Error('a failed');
    });
  });
  const b = turns.next(async () => began.push('b'));
  await Promise.resolve();
  expect(began).toEqual(['a']);
  first.resolve();
  await expect(a).rejects.toThrow('a failed');
  await b;
  await turns.idle;
  expect(began).toEqual(['a', 'b']);
});
