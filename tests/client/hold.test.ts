import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Hold } from '../../src/client/hold.ts';
import type { Committer, Handed } from '../../src/client/hold.ts';
import { settle } from '../support/log-fixture.ts';

/** Writes down what it is asked for. */
class Notes implements Committer {
  readonly order = 1;
  readonly progress: number[] = [];
  readonly commits: number[] = [];
  readonly kept: number[] = [];

  keep({ processed }: Hold): void {
    this.kept.push(processed);
  }

  progressed({ processed }: Hold): void {
    this.progress.push(processed);
  }

  async commit(hold: Hold, offset: number): Promise<void> {
    this.commits.push(offset);
    hold.committed = offset;
    hold.asked = offset;
  }

  commitExactly(hold: Hold, offset: number): Promise<void> {
    return this.commit(hold, offset);
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
}

function holdFrom(offset: number, committer: Committer = new Notes()): Hold {
  const member = { groupId: 'billing', instance: 'i', memberId: 'a', epoch: 1 };
  return new Hold(member, { topicId: 'id', partition: 0, epoch: 1 }, offset, committer);
}

function begin(hold: Hold, ...offsets: number[]): Handed[] {
  return offsets.map((offset) => hold.begin(offset, offset + 1));
}

/** Whether a promise has settled, when all that can happen has. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await settle();
  return settled;
}

describe('what is processed', () => {
  test('goes up to the first message that is still in hand', () => {
    const hold = holdFrom(5);
    const [a, b, c] = begin(hold, 5, 6, 7);
    hold.end(b!, 'processed');
    expect(hold.processed).toBe(5);
    hold.end(a!, 'processed');
    expect(hold.processed).toBe(7);
    hold.end(c!, 'processed');
    expect(hold.processed).toBe(8);
  });

  test('passes offsets that have no record', () => {
    const hold = holdFrom(0);
    const first = hold.begin(3, 10); // a batch: 3 to 9
    const second = hold.begin(20, 21);
    hold.end(first, 'processed');
    expect(hold.processed).toBe(10);
    hold.end(second, 'processed');
    expect(hold.processed).toBe(21);
  });

  test('does not pass what was dropped, until somebody seeks', () => {
    const hold = holdFrom(0);
    const [a, b] = begin(hold, 0, 1);
    hold.end(a!, 'dropped');
    hold.end(b!, 'processed');
    expect(hold.processed).toBe(0);
    expect(hold.isIdle).toBe(true);
    hold.restart(1);
    const [again] = begin(hold, 1);
    hold.end(again!, 'processed');
    expect(hold.processed).toBe(2);
  });

  test('is told to the committer, and what is dropped is not', () => {
    const notes = new Notes();
    const hold = holdFrom(0, notes);
    const [a, b] = begin(hold, 0, 1);
    hold.end(a!, 'processed');
    hold.end(b!, 'dropped');
    expect(notes.progress).toEqual([1]);
  });

  test('is the low watermark, whatever the order', () => {
    const count = 12;
    const order = fc.shuffledSubarray(Array.from({ length: count }, (_, i) => i));
    fc.assert(
      fc.property(order, fc.array(fc.nat({ max: count - 1 })), (ended, dropped) => {
        const hold = holdFrom(0);
        const handed = begin(hold, ...Array.from({ length: count }, (_, i) => i));
        const processed = new Set<number>();
        for (const i of ended) {
          const isDropped = dropped.includes(i);
          hold.end(handed[i]!, isDropped ? 'dropped' : 'processed');
          if (!isDropped) processed.add(i);
          const open = handed.findIndex((_, at) => !processed.has(at));
          expect(hold.processed).toBe(open === -1 ? count : open);
        }
        expect(hold.isIdle).toBe(ended.length === count);
      }),
    );
  });
});

describe('commit', () => {
  test('of what is committed already does nothing', async () => {
    const notes = new Notes();
    const hold = holdFrom(3, notes);
    for (const next of [3, 2, 5, 4, 5, 6]) await hold.commit(next);
    expect(notes.commits).toEqual([5, 6]);
  });

  test('while a later one is under way waits for that one', async () => {
    const notes = new Notes();
    const hold = holdFrom(0, notes);
    hold.asked = 7;
    await hold.commit(4);
    expect(notes.commits).toEqual([7]);
  });

  test('goes back after a seek', async () => {
    const notes = new Notes();
    const hold = holdFrom(5, notes);
    hold.restart(0);
    await hold.commit(1);
    expect(notes.commits).toEqual([1]);
  });
});

describe('a seek', () => {
  test('keeps what is processed, and begins elsewhere; nothing is stored by it', () => {
    const notes = new Notes();
    const hold = holdFrom(0, notes);
    const [a] = begin(hold, 0, 1);
    hold.end(a!, 'processed');
    hold.restart(7);
    expect(notes.kept).toEqual([1]);
    expect(hold).toMatchObject({ processed: 7, committed: 0, asked: 0, isIdle: true });
  });

  test('makes what is in hand count no longer', () => {
    const notes = new Notes();
    const hold = holdFrom(0, notes);
    const [old] = begin(hold, 0);
    hold.restart(0);
    expect(hold.isIdle).toBe(true);
    const [again] = begin(hold, 0);
    hold.end(old!, 'processed'); // of the time before
    expect(hold.processed).toBe(0);
    expect(hold.isIdle).toBe(false);
    expect(notes.progress).toEqual([]);
    hold.end(again!, 'processed');
    expect(hold.processed).toBe(1);
  });
});

describe('idle', () => {
  test('resolves when the last message is done or dropped', async () => {
    const hold = holdFrom(0);
    await hold.idle();
    const [a, b] = begin(hold, 0, 1);
    const idle = hold.idle();
    hold.end(b!, 'processed');
    expect(await isSettled(idle)).toBe(false);
    hold.end(a!, 'dropped');
    await idle;
  });

  test('waits for what is handed out meanwhile', async () => {
    const hold = holdFrom(0);
    const [a] = begin(hold, 0);
    const idle = hold.idle();
    hold.end(a!, 'processed');
    const [b] = begin(hold, 1);
    expect(await isSettled(idle)).toBe(false);
    hold.end(b!, 'processed');
    await idle;
  });

  test('resolves at a seek', async () => {
    const hold = holdFrom(0);
    begin(hold, 0, 1);
    const idle = hold.idle();
    hold.restart(7);
    await idle;
  });
});

describe('isFirst', () => {
  test('resolves when everything before it is processed', async () => {
    const hold = holdFrom(0);
    const [a, b, c] = begin(hold, 0, 1, 2);
    await hold.isFirst(a!);
    const first = hold.isFirst(c!);
    hold.end(b!, 'processed');
    expect(await isSettled(first)).toBe(false);
    hold.end(a!, 'processed');
    await first;
  });

  test('does not wait for a seek, nor for a partition that is lost', async () => {
    const hold = holdFrom(0);
    const [, b] = begin(hold, 0, 1);
    const sought = hold.isFirst(b!);
    hold.restart(9);
    await sought;
    const [, d] = begin(hold, 9, 10);
    const lost = hold.isFirst(d!);
    hold.lose();
    await lost;
    expect(hold.signal.aborted).toBe(true);
  });

  test('does not wait for ever behind what was dropped', async () => {
    const hold = holdFrom(0);
    const [a, b] = begin(hold, 0, 1);
    const first = hold.isFirst(b!);
    hold.end(a!, 'dropped');
    expect(await isSettled(first)).toBe(true);
  });
});
