import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionProgress } from '../../../src/client/message/partition-progress.ts';
import type { Committer } from '../../../src/client/message/partition-progress.ts';
import type { MessageDelivery } from '../../../src/client/message/pending-commit.ts';
import { settle } from '../../support/waiting.ts';

/** Writes down what it is asked for. */
class Notes implements Committer {
  readonly order = 1;
  readonly progress: number[] = [];
  readonly commits: number[] = [];
  readonly kept: number[] = [];

  beforeSeek({ processed }: PartitionProgress): void {
    this.kept.push(processed);
  }

  progressed({ processed }: PartitionProgress): void {
    this.progress.push(processed);
  }

  async commit(progress: PartitionProgress, offset: number): Promise<void> {
    this.commits.push(offset);
    progress.beginCommit(offset).end(true);
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

function begin(progress: PartitionProgress, ...offsets: number[]): MessageDelivery[] {
  return offsets.map((offset) => progress.deliver(offset, offset + 1));
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
    progress.finish(b!);
    expect(progress.processed).toBe(5);
    progress.finish(a!);
    expect(progress.processed).toBe(7);
    progress.finish(c!);
    expect(progress.processed).toBe(8);
  });

  test('passes offsets that have no record', () => {
    const progress = holdFrom(0);
    const first = progress.deliver(3, 10); // a batch: 3 to 9
    const second = progress.deliver(20, 21);
    progress.finish(first);
    expect(progress.processed).toBe(10);
    progress.finish(second);
    expect(progress.processed).toBe(21);
  });

  test('does not pass what was dropped, until somebody seeks', () => {
    const progress = holdFrom(0);
    const [a, b] = begin(progress, 0, 1);
    progress.drop(a!);
    progress.finish(b!);
    expect(progress.processed).toBe(0);
    expect(progress.isIdle).toBe(true);
    progress.seek(1);
    const [again] = begin(progress, 1);
    progress.finish(again!);
    expect(progress.processed).toBe(2);
  });

  test('is told to the committer, and what is dropped is not', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [a, b] = begin(progress, 0, 1);
    progress.finish(a!);
    progress.drop(b!);
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
          if (isDropped) progress.drop(handed[i]!);
          else progress.finish(handed[i]!);
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
    progress.beginCommit(7);
    await progress.commit(4);
    expect(notes.commits).toEqual([7]);
  });

  test('goes back after a seek', async () => {
    const notes = new Notes();
    const progress = holdFrom(5, notes);
    progress.seek(0);
    await progress.commit(1);
    expect(notes.commits).toEqual([1]);
  });
});

describe('a pending commit', () => {
  test('is what is pending until it is stored, or fails', () => {
    const progress = holdFrom(1);
    const first = progress.beginCommit(5);
    const second = progress.beginCommit(3);
    expect(progress).toMatchObject({ pending: 3, committed: 1 });
    first.end(true);
    expect(progress).toMatchObject({ pending: 3, committed: 5 });
    second.end(false);
    expect(progress).toMatchObject({ pending: 5, committed: 5 });
  });

  test('settles once', () => {
    const progress = holdFrom(1);
    const commit = progress.beginCommit(5);
    commit.end(false);
    commit.end(true);
    expect(progress.committed).toBe(1);
  });

  test('takes a number whenever it is sent, and the one sent later has the higher one', () => {
    const progress = holdFrom(1);
    const commit = progress.beginCommit(5, 'text');
    progress.nextCommit(4);
    const number = { topicId: 'id', partition: 0, assignmentEpoch: 1 };
    expect(commit.toSend()).toEqual({ ...number, sequence: 2, offset: 5, metadata: 'text' });
    expect(commit.toSend().sequence).toBe(3);
  });

  test('that a seek went back behind says what is known from there', () => {
    const progress = holdFrom(1);
    const commit = progress.beginCommit(5);
    progress.seek(3);
    expect(progress).toMatchObject({ pending: 3, committed: 1 });
    commit.end(true);
    expect(progress.committed).toBe(3);
  });

  test('that a seek went forward from counts as ever', () => {
    const progress = holdFrom(1);
    const commit = progress.beginCommit(5);
    progress.seek(8);
    commit.end(true);
    expect(progress.committed).toBe(5);
  });
});

describe('a transaction', () => {
  test('is under way until it is stored or fails; then there may be more to commit', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [a] = begin(progress, 0);
    const transaction = progress.beginTransaction(0);
    expect(progress).toMatchObject({ isInTransaction: true, pending: 0 });
    progress.finish(a!);
    transaction.end(false);
    expect(progress).toMatchObject({ isInTransaction: false, committed: 0 });
    expect(notes.progress).toEqual([1, 1]);
  });

  test('commits no less than is committed', () => {
    const progress = holdFrom(0);
    const transaction = progress.beginTransaction(3);
    progress.beginCommit(7).end(true);
    expect(transaction.toSend().offset).toBe(7);
    transaction.end(true);
    expect(progress.committed).toBe(7);
  });

  test('that a seek went back behind says what is known from there', () => {
    const progress = holdFrom(0);
    const transaction = progress.beginTransaction(5);
    progress.seek(2);
    transaction.end(true);
    expect(progress.committed).toBe(2);
  });

  test.each([
    ['stored', true, []],
    ['not stored', false, [4]],
  ])('is waited for by commits that it covers: %s', async (_, isStored, commits) => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const transaction = progress.beginTransaction(6);
    const covered = progress.commit(4);
    expect(await isSettled(covered)).toBe(false);
    transaction.end(isStored);
    await covered;
    expect(notes.commits).toEqual(commits);
  });

  test('is not waited for by commits of more', async () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    progress.beginTransaction(6);
    await progress.commit(7);
    expect(notes.commits).toEqual([7]);
  });
});

describe('firstPassedOver', () => {
  test('is the first message in hand that a commit would leave behind', () => {
    const progress = holdFrom(0);
    const [a, b] = begin(progress, 0, 1, 2);
    expect(progress.firstPassedOver(0, [])).toBeUndefined();
    expect(progress.firstPassedOver(1, [])).toBe(0);
    expect(progress.firstPassedOver(3, [3])).toBe(0);
    expect(progress.firstPassedOver(3, [1, 2, 3])).toBeUndefined();
    progress.finish(b!);
    expect(progress.firstPassedOver(3, [1, 3])).toBeUndefined();
    progress.drop(a!);
    expect(progress.firstPassedOver(3, [1, 3])).toBe(0);
  });

  test('is no batch whose end a commit does not reach', () => {
    const progress = holdFrom(0);
    progress.deliver(0, 10);
    expect(progress.firstPassedOver(9, [])).toBeUndefined();
    expect(progress.firstPassedOver(10, [])).toBe(0);
  });
});

describe('a seek', () => {
  test('keeps what is processed, and begins elsewhere; nothing is stored by it', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [a] = begin(progress, 0, 1);
    progress.finish(a!);
    progress.seek(7);
    expect(notes.kept).toEqual([1]);
    expect(progress).toMatchObject({ processed: 7, committed: 0, pending: 0, isIdle: true });
  });

  test('makes what is in hand count no longer', () => {
    const notes = new Notes();
    const progress = holdFrom(0, notes);
    const [old] = begin(progress, 0);
    progress.seek(0);
    expect(progress.isIdle).toBe(true);
    const [again] = begin(progress, 0);
    progress.finish(old!); // of the time before
    expect(progress.processed).toBe(0);
    expect(progress.isIdle).toBe(false);
    expect(notes.progress).toEqual([]);
    progress.finish(again!);
    expect(progress.processed).toBe(1);
  });
});

describe('idle', () => {
  test('resolves when the last message is done or dropped', async () => {
    const progress = holdFrom(0);
    await progress.idle();
    const [a, b] = begin(progress, 0, 1);
    const idle = progress.idle();
    progress.finish(b!);
    expect(await isSettled(idle)).toBe(false);
    progress.drop(a!);
    await idle;
  });

  test('waits for what is handed out meanwhile', async () => {
    const progress = holdFrom(0);
    const [a] = begin(progress, 0);
    const idle = progress.idle();
    progress.finish(a!);
    const [b] = begin(progress, 1);
    expect(await isSettled(idle)).toBe(false);
    progress.finish(b!);
    await idle;
  });

  test('resolves at a seek', async () => {
    const progress = holdFrom(0);
    begin(progress, 0, 1);
    const idle = progress.idle();
    progress.seek(7);
    await idle;
  });
});

describe('isFirst', () => {
  test('resolves when everything before it is processed', async () => {
    const progress = holdFrom(0);
    const [a, b, c] = begin(progress, 0, 1, 2);
    await progress.isFirst(a!);
    const first = progress.isFirst(c!);
    progress.finish(b!);
    expect(await isSettled(first)).toBe(false);
    progress.finish(a!);
    await first;
  });

  test('does not wait for a seek, nor for a partition that is lost', async () => {
    const progress = holdFrom(0);
    const [, b] = begin(progress, 0, 1);
    const sought = progress.isFirst(b!);
    progress.seek(9);
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
    progress.drop(a!);
    expect(await isSettled(first)).toBe(true);
  });
});

test('commits of a later assignment in the same epochs have higher numbers', () => {
  const assign = (): PartitionProgress => {
    const member = { groupId: 'g', instance: 'i', memberId: 'a', memberEpoch: 1 };
    const assignment = { topicId: 'id', partition: 0, assignmentEpoch: 1 };
    return new PartitionProgress(member, assignment, 0, {} as Committer);
  };
  const [before, after] = [assign().nextCommit(5), assign().nextCommit(1)];
  expect(after.sequence).toBeGreaterThan(before.sequence!);
});
