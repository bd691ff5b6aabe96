import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionProgress } from '../../../src/client/message/partition-progress.ts';
import type { Committer, Handed } from '../../../src/client/message/partition-progress.ts';
import { settle } from '../../support/log-fixture.ts';

/** Writes down what it is asked for. */
class Notes implements Committer {
  readonly order = 1;
  readonly progress: number[] = [];
  readonly commits: number[] = [];
  readonly kept: number[] = [];

  keep({ processed }: PartitionProgress): void {
    this.kept.push(processed);
  }

  progressed({ processed }: PartitionProgress): void {
    this.progress.push(processed);
  }

  async commit(progress: PartitionProgress, offset: number): Promise<void> {
    this.commits.push(offset);
    progress.committed = offset;
    progress.asked = offset;
  }

  commitExactly(progress: PartitionProgress, offset: number): Promise<void> {
    return this.commit(progress, offset);
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
}

function holdFrom(offset: number, committer: Committer = new Notes()): PartitionProgress {
  const member = { groupId: 'billing', instance: 'i', memberId: 'a', memberEpoch: 1 };
  return new PartitionProgress(
    member,
    { topicId: 'id', partition: 0, assignmentEpoch: 1 },
    offset,
    committer,
  );
}

function begin(progress: PartitionProgress, ...offsets: number[]): Handed[] {
  return offsets.map((offset) => progress.begin(offset, offset + 1));
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
    const progress = holdFrom(5);
    const [a, b, c] = begin(progress, 5, 6, 7);
    progress.end(b!, 'processed');
    expect(progress.processed).toBe(5);
    progress.end(a!, 'processed');
    expect(progress.processed).toBe(7);
    progress.end(c!, 'processed');
    expect(progress.processed).toBe(8);
  });

  test('passes offsets that have no record', () => {
    const progress = holdFrom(0);
    const first = progress.begin(3, 10); // a batch: 3 to 9
    const second = progress.begin(20, 21);
    progress.end(first, 'processed');
    expect(progress.processed).toBe(10);
    progress.end(second, 'processed');
    expect(progress.processed).toBe(21);
  });

  test('does not pass what was dropped, until somebody seeks', () => {
    const progress = holdFrom(0);
    const [a, b] = begin(progress, 0, 1);
    progress.end(a!, 'dropped');
    progress.end(b!, 'processed');
    expect(progress.processed).toBe(0);
    expect(progress.isIdle).toBe(true);
    progress.restart(1);
    const [again] = begin(progress, 1);
    progress.end(again!, 'processed');
    expect(progress.processed).toBe(2);
  });

  test('is told to the committer, and what is dropped is not', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [a, b] = begin(progress, 0, 1);
    progress.end(a!, 'processed');
    progress.end(b!, 'dropped');
    expect(notes.progress).toEqual([1]);
  });

  test('is the low watermark, whatever the order', () => {
    const count = 12;
    const order = fc.shuffledSubarray(Array.from({ length: count }, (_, i) => i));
    fc.assert(
      fc.property(order, fc.array(fc.nat({ max: count - 1 })), (ended, dropped) => {
        const progress = holdFrom(0);
        const handed = begin(progress, ...Array.from({ length: count }, (_, i) => i));
        const processed = new Set<number>();
        for (const i of ended) {
          const isDropped = dropped.includes(i);
          progress.end(handed[i]!, isDropped ? 'dropped' : 'processed');
          if (!isDropped) processed.add(i);
          const open = handed.findIndex((_, at) => !processed.has(at));
          expect(progress.processed).toBe(open === -1 ? count : open);
        }
        expect(progress.isIdle).toBe(ended.length === count);
      }),
    );
  });
});

describe('commit', () => {
  test('of what is committed already does nothing', async () => {
    const notes = new Notes();
    const progress = holdFrom(3, notes);
    for (const next of [3, 2, 5, 4, 5, 6]) await progress.commit(next);
    expect(notes.commits).toEqual([5, 6]);
  });

  test('while a later one is under way waits for that one', async () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    progress.asked = 7;
    await progress.commit(4);
    expect(notes.commits).toEqual([7]);
  });

  test('goes back after a seek', async () => {
    const notes = new Notes();
    const progress = holdFrom(5, notes);
    progress.restart(0);
    await progress.commit(1);
    expect(notes.commits).toEqual([1]);
  });
});

describe('a seek', () => {
  test('keeps what is processed, and begins elsewhere; nothing is stored by it', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [a] = begin(progress, 0, 1);
    progress.end(a!, 'processed');
    progress.restart(7);
    expect(notes.kept).toEqual([1]);
    expect(progress).toMatchObject({ processed: 7, committed: 0, asked: 0, isIdle: true });
  });

  test('makes what is in hand count no longer', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [old] = begin(progress, 0);
    progress.restart(0);
    expect(progress.isIdle).toBe(true);
    const [again] = begin(progress, 0);
    progress.end(old!, 'processed'); // of the time before
    expect(progress.processed).toBe(0);
    expect(progress.isIdle).toBe(false);
    expect(notes.progress).toEqual([]);
    progress.end(again!, 'processed');
    expect(progress.processed).toBe(1);
  });
});

describe('idle', () => {
  test('resolves when the last message is done or dropped', async () => {
    const progress = holdFrom(0);
    await progress.idle();
    const [a, b] = begin(progress, 0, 1);
    const idle = progress.idle();
    progress.end(b!, 'processed');
    expect(await isSettled(idle)).toBe(false);
    progress.end(a!, 'dropped');
    await idle;
  });

  test('waits for what is handed out meanwhile', async () => {
    const progress = holdFrom(0);
    const [a] = begin(progress, 0);
    const idle = progress.idle();
    progress.end(a!, 'processed');
    const [b] = begin(progress, 1);
    expect(await isSettled(idle)).toBe(false);
    progress.end(b!, 'processed');
    await idle;
  });

  test('resolves at a seek', async () => {
    const progress = holdFrom(0);
    begin(progress, 0, 1);
    const idle = progress.idle();
    progress.restart(7);
    await idle;
  });
});

describe('isFirst', () => {
  test('resolves when everything before it is processed', async () => {
    const progress = holdFrom(0);
    const [a, b, c] = begin(progress, 0, 1, 2);
    await progress.isFirst(a!);
    const first = progress.isFirst(c!);
    progress.end(b!, 'processed');
    expect(await isSettled(first)).toBe(false);
    progress.end(a!, 'processed');
    await first;
  });

  test('does not wait for a seek, nor for a partition that is lost', async () => {
    const progress = holdFrom(0);
    const [, b] = begin(progress, 0, 1);
    const sought = progress.isFirst(b!);
    progress.restart(9);
    await sought;
    const [, d] = begin(progress, 9, 10);
    const lost = progress.isFirst(d!);
    progress.lose();
    await lost;
    expect(progress.signal.aborted).toBe(true);
  });

  test('does not wait for ever behind what was dropped', async () => {
    const progress = holdFrom(0);
    const [a, b] = begin(progress, 0, 1);
    const first = progress.isFirst(b!);
    progress.end(a!, 'dropped');
    expect(await isSettled(first)).toBe(true);
  });
});
