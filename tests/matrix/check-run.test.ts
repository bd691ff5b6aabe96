import { describe, expect, it } from 'vitest';
import { checkRun } from './check-run.ts';
import type { Contents, Found, RunEvent, RunRecord, Told } from './run-record.ts';

const event = (told: Told): RunEvent => ({ at: 0, ...told });
const acked = (n: number, offset: number): RunEvent =>
  event({ kind: 'acked', sentAt: 0, producer: 'a', n, partition: 0, offset });
const record = (n: number, offset: number, isWhole = true): Found => ({
  producer: 'a',
  n,
  offset,
  isWhole,
});
const contents = (...records: Found[]): Contents => ({
  startOffset: 0,
  endOffset: records.length,
  records,
});

/** A run of three acked records, and what is changed of it. */
function run(changes: Partial<RunRecord> = {}): RunRecord {
  const three = [contents(record(0, 0), record(1, 1), record(2, 2))];
  return {
    events: [acked(0, 0), acked(1, 1), acked(2, 2)],
    orders: three,
    copies: three,
    ...changes,
  };
}

/** Orders and copies with the same contents. */
function both(of: Contents): Pick<RunRecord, 'orders' | 'copies'> {
  return { orders: [of], copies: [of] };
}

it('finds nothing wrong with a sound run', () => {
  expect(checkRun(run())).toEqual({ lost: 0, told: 0, doubled: 0, problems: [] });
});

it('lets a record be there that nobody heard of', () => {
  const { problems } = checkRun(run({ events: [acked(0, 0), acked(2, 2)] }));
  expect(problems).toEqual([]);
});

describe('finds', () => {
  it('a record that is gone', () => {
    const verdict = checkRun(run(both(contents(record(0, 0), record(1, 1)))));
    expect(verdict).toEqual({
      lost: 1,
      told: 0,
      doubled: 0,
      problems: ['lost: a/2: at 0/2 is nothing'],
    });
  });

  it('another record in its place, and one with other bytes', () => {
    const other = both(contents(record(0, 0), record(9, 1), record(10, 2)));
    expect(checkRun(run(other)).problems).toContain('lost: a/1: at 0/1 is a/9');
    const damaged = both(contents(record(0, 0), record(1, 1, false), record(2, 2)));
    expect(checkRun(run(damaged)).problems).toEqual(['lost: a/1: at 0/1 is a/1 (damaged)']);
  });

  it('no fault in a loss that was told', () => {
    const told = event({ kind: 'status', type: 'logReset' });
    const { events } = run();
    const verdict = checkRun(run({ ...both(contents(record(0, 0))), events: [...events, told] }));
    expect(verdict).toEqual({ lost: 0, told: 2, doubled: 0, problems: [] });
  });

  it('a loss beside the range that was told', () => {
    const told = event({
      kind: 'status',
      type: 'recordsLost',
      lost: { topic: 'orders', partition: 0, from: 0, to: 1 },
    });
    const { events, copies } = run();
    const left: Contents = { startOffset: 0, endOffset: 3, records: [record(2, 2)] };
    expect(checkRun({ orders: [left], copies, events: [...events, told] })).toEqual({
      lost: 1,
      told: 1,
      doubled: 0,
      problems: ['lost: a/1: at 0/1 is nothing', 'gap: orders/0: 2 comes after -1'],
    });
    const missing = run({ copies: [contents(record(0, 0))], events: [...events, told] });
    expect(checkRun(missing).problems).toEqual(['copies: copies/0: 2 records were not copied']);
    const twice = run({
      copies: [contents(...[0, 0, 1, 2].map((n, i) => record(n, i)))],
      events: [told],
    });
    expect(checkRun(twice).problems).toEqual(['copies: copies/0: a/0 is there twice']);
  });

  it('no fault in the loss of a topic that told it', () => {
    const told = event({ kind: 'unusable', topic: 'orders', code: 'LOG_CORRUPT' });
    const { events, copies } = run();
    const left = { startOffset: 0, endOffset: 0, records: [] };
    expect(checkRun({ orders: [left], copies, events: [...events, told] })).toEqual({
      lost: 0,
      told: 3,
      doubled: 0,
      problems: [],
    });
    const copiesGone = checkRun(run({ copies: [left], events: [...events, told] }));
    expect(copiesGone.problems).toEqual(['copies: copies/0: 3 records were not copied']);
  });

  it('a record that is there twice', () => {
    const twice = both(contents(record(0, 0), record(1, 1), record(2, 2), record(2, 3)));
    const { doubled, problems } = checkRun(run(twice));
    expect(doubled).toBe(1);
    expect(problems).toEqual(['doubled: a/2']);
  });

  it('an order that is not the producer’s', () => {
    const swapped = both(contents(record(1, 0), record(0, 1)));
    expect(checkRun(run({ ...swapped, events: [] })).problems).toEqual([
      'reordered: orders/0: a/0 after 1',
    ]);
  });

  it('a gap, and an end that is not where the records end', () => {
    const gap = { startOffset: 0, endOffset: 4, records: [record(0, 0), record(2, 2)] };
    expect(checkRun(run({ ...both(gap), events: [] })).problems).toEqual([
      'gap: orders/0: 2 comes after 0',
      'gap: orders/0: ends at 3, and not at 4',
      'gap: copies/0: 2 comes after 0',
      'gap: and 1 more',
    ]);
  });

  it('a copy that is missing, doubled, or of nothing', () => {
    const one = record(0, 0);
    const { orders } = run();
    const copiesOf = (...records: Found[]): readonly string[] =>
      checkRun(run({ orders, copies: [contents(...records)] })).problems;
    expect(copiesOf(one)).toEqual(['copies: copies/0: 2 records were not copied']);
    expect(copiesOf(one, record(0, 1))).toEqual(['copies: copies/0: a/0 is the 1th copy']);
    expect(copiesOf(one, record(1, 1), record(2, 2), record(3, 3))).toEqual([
      'copies: copies/0: a/3 is the 3th copy',
    ]);
  });

  it('a call that did not settle, and a rejection that nobody handled', () => {
    const { events } = run();
    const late = event({ kind: 'late', call: 'send' });
    const unhandled = event({ kind: 'unhandled', text: 'Error: no' });
    expect(checkRun(run({ events: [...events, late, unhandled] })).problems).toEqual([
      'late: send',
      'unhandled: Error: no',
    ]);
  });
});
