import { describe, expect, test } from 'vitest';
import { FENCED, OFFSET_OUT_OF_RANGE, STORAGE_FULL } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { Connection } from '../../../src/client/connection/connection.ts';
import { PartitionProgress } from '../../../src/client/message/partition-progress.ts';
import { OffsetCommitter } from '../../../src/client/group/offset-committer.ts';
import type { CommitMode } from '../../../src/client/group/offset-committer.ts';
import type { CommitRequest } from '../../../src/protocol/group.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { settle } from '../../support/waiting.ts';

const fenced = new TablogError(FENCED, 'gone');
const full = new TablogError(STORAGE_FULL, 'no room');

/** A committer whose calls the test answers, one by one. */
class Committing {
  readonly clock = new ManualClock();
  readonly errors: unknown[] = [];
  /** What each call committed: `partition:offset`. */
  readonly calls: string[][] = [];
  readonly metadata: string[][] = [];
  readonly committer: OffsetCommitter;
  readonly #answers: ((error?: TablogError) => void)[] = [];

  constructor(mode: CommitMode) {
    const call = (_: string, { offsets }: CommitRequest): Promise<null> => {
      this.calls.push(offsets.map(({ partition, offset }) => `${partition}:${offset}`));
      this.metadata.push(offsets.map(({ metadata }) => metadata));
      return new Promise((resolve, reject) => {
        this.#answers.push((error) => (error === undefined ? resolve(null) : reject(error)));
      });
    };
    const connection = { clock: this.clock, call } as unknown as Connection;
    const onError = (error: unknown): void => void this.errors.push(error);
    this.committer = new OffsetCommitter({ connection, mode, onError });
  }

  progress(partition = 0): PartitionProgress {
    const member = { groupId: 'billing', instance: 'i', memberId: 'a', memberEpoch: 1 };
    return new PartitionProgress(
      member,
      { topicId: 'id', partition, assignmentEpoch: 1 },
      0,
      this.committer,
    );
  }

  /** Answers the oldest call that waits. */
  async answer(error?: TablogError): Promise<void> {
    await settle();
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error('nothing waits for an answer');
    answer(error);
    await settle();
  }
}

/** What comes before `next` is handed out and processed, all at once. */
function process(progress: PartitionProgress, next: number): void {
  progress.finish(progress.deliver(progress.processed, next));
}

describe("mode 'processed'", () => {
  test('commits one at a time; what comes meanwhile goes together', async () => {
    const it = new Committing('processed');
    const [a, b] = [it.progress(0), it.progress(1)];
    process(a, 1);
    await settle();
    process(a, 5);
    process(b, 3);
    await settle();
    expect(it.calls).toEqual([['0:1']]);
    await it.answer();
    expect(it.calls).toEqual([['0:1'], ['0:5', '1:3']]);
    await it.answer();
    expect([a.committed, b.committed]).toEqual([5, 3]);
    expect(it.calls).toHaveLength(2);
  });

  test('says what failed, and commits it with the next', async () => {
    const it = new Committing('processed');
    const progress = it.progress();
    process(progress, 2);
    await it.answer(full);
    expect(it.errors).toEqual([full]);
    expect(progress.committed).toBe(0);
    process(progress, 3);
    await it.answer();
    expect(it.calls).toEqual([['0:2'], ['0:3']]);
    expect(progress.committed).toBe(3);
  });

  test('says nothing of a partition that was lost', async () => {
    const it = new Committing('processed');
    const progress = it.progress();
    process(progress, 2);
    await it.answer(fenced);
    expect(it.errors).toEqual([]);
  });

  test('does not commit what was lost before it was sent', async () => {
    const it = new Committing('processed');
    const [a, b] = [it.progress(0), it.progress(1)];
    process(a, 1);
    await settle();
    process(b, 2);
    b.lose();
    await it.answer();
    expect(it.calls).toEqual([['0:1']]);
  });
});

describe('mode { everyMs }', () => {
  test('commits that often, and only where there is something', async () => {
    const it = new Committing({ everyMs: 1000 });
    const progress = it.progress();
    expect(it.clock.timers).toBe(0);
    process(progress, 2);
    it.clock.advance(999);
    process(progress, 3);
    await settle();
    expect(it.calls).toEqual([]);
    it.clock.advance(1);
    await it.answer();
    expect(it.calls).toEqual([['0:3']]);
    it.clock.advance(5000);
    await settle();
    expect(it.calls).toHaveLength(1);
    process(progress, 4);
    it.clock.advance(1000);
    await it.answer();
    expect(it.calls).toEqual([['0:3'], ['0:4']]);
  });

  test('flush does not wait for the time, and close ends the timer', async () => {
    const it = new Committing({ everyMs: 1000 });
    const progress = it.progress();
    process(progress, 2);
    const flushed = it.committer.flush([progress]);
    await it.answer();
    await flushed;
    expect(it.calls).toEqual([['0:2']]);
    it.committer.close();
    expect(it.clock.timers).toBe(0);
  });
});

describe("mode 'manual'", () => {
  test('commits nothing by itself, and flush waits for what is under way', async () => {
    const it = new Committing('manual');
    const progress = it.progress();
    process(progress, 5);
    await settle();
    expect(it.calls).toEqual([]);
    const committed = progress.commit(3);
    let flushed = false;
    const flush = it.committer.flush([progress]).then(() => (flushed = true));
    await settle();
    expect(flushed).toBe(false);
    await it.answer();
    await Promise.all([committed, flush]);
    expect(it.calls).toEqual([['0:3']]);
    expect(it.committer.uncommitted([progress])).toEqual([]);
  });
});

describe('commit', () => {
  test('of one partition, several at once: the last counts, and all settle', async () => {
    const it = new Committing('manual');
    const progress = it.progress();
    const first = it.committer.commitExactly(progress, 1, 'first');
    await settle();
    const rest = [
      it.committer.commitExactly(progress, 2, 'second'),
      it.committer.commitExactly(progress, 4, 'third'),
      it.committer.commitExactly(progress, 3, 'fourth'),
    ];
    await it.answer();
    await first;
    await it.answer();
    await Promise.all(rest);
    expect(it.calls).toEqual([['0:1'], ['0:3']]);
    expect(it.metadata).toEqual([['first'], ['fourth']]);
  });

  test('of a partition that is lost is FENCED, and no call', async () => {
    const it = new Committing('manual');
    const progress = it.progress();
    progress.lose();
    await expect(it.committer.commit(progress, 1)).rejects.toMatchObject({
      code: 'FENCED',
      details: { group: 'billing', member: 'a', partition: 0 },
    });
    expect(it.calls).toEqual([]);
  });

  test('that is FENCED for one partition is made for the others', async () => {
    const it = new Committing('manual');
    const [a, b] = [it.progress(0), it.progress(1)];
    const commits = [it.committer.commit(a, 1), it.committer.commit(b, 2)];
    const settled = Promise.allSettled(commits);
    await it.answer(fenced);
    await it.answer(fenced);
    await it.answer();
    expect(await settled).toMatchObject([
      { status: 'rejected', reason: { code: 'FENCED' } },
      { status: 'fulfilled' },
    ]);
    expect(it.calls).toEqual([['0:1', '1:2'], ['0:1'], ['1:2']]);
    expect([a.committed, b.committed]).toEqual([0, 2]);
  });

  test('that fails otherwise fails for all, and the next is made', async () => {
    const it = new Committing('manual');
    const [a, b] = [it.progress(0), it.progress(1)];
    const settled = Promise.allSettled([it.committer.commit(a, 1), it.committer.commit(b, 2)]);
    await it.answer(full);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = it.committer.commit(a, 1);
    await it.answer();
    await again;
    expect(a.committed).toBe(1);
  });

  test('by the application is not taken back by one of what is processed', async () => {
    const it = new Committing('processed');
    const progress = it.progress();
    const first = progress.commit(1);
    await settle();
    const asked = progress.commit(9); // waits for the first
    process(progress, 5);
    await it.answer();
    await first;
    await it.answer();
    await asked;
    expect(it.calls).toEqual([['0:1'], ['0:9']]);
  });

  test('that failed does not take back one that waits', async () => {
    const it = new Committing('processed');
    const progress = it.progress();
    process(progress, 1);
    await settle();
    const asked = progress.commit(9);
    process(progress, 2);
    await it.answer(full);
    await it.answer();
    await asked;
    expect(it.calls.at(-1)).toEqual(['0:9']);
    expect(progress.committed).toBe(9);
  });

  test('under way when somebody seeks says nothing of the place after it', async () => {
    const it = new Committing('processed');
    const progress = it.progress();
    process(progress, 5);
    await settle();
    progress.seek(0);
    await it.answer();
    process(progress, 1);
    await it.answer();
    expect(it.calls).toEqual([['0:5'], ['0:1']]);
  });
});

describe('a seek', () => {
  test('commits what was processed before it', async () => {
    const it = new Committing({ everyMs: 1000 });
    const progress = it.progress();
    process(progress, 5);
    progress.seek(5);
    await it.answer();
    expect(it.calls).toEqual([['0:5']]);
  });

  test('back has messages committed again', async () => {
    const it = new Committing({ everyMs: 1000 });
    const progress = it.progress();
    process(progress, 5);
    progress.seek(0);
    await it.answer();
    const again = progress.commit(1);
    await it.answer();
    await again;
    expect(it.calls).toEqual([['0:5'], ['0:1']]);
  });

  test("commits nothing in mode 'manual'", async () => {
    const it = new Committing('manual');
    const progress = it.progress();
    process(progress, 5);
    progress.seek(0);
    await settle();
    expect(it.calls).toEqual([]);
  });

  test('says what could not be committed', async () => {
    const it = new Committing({ everyMs: 1000 });
    const progress = it.progress();
    process(progress, 5);
    progress.seek(0);
    await it.answer(full);
    expect(it.errors).toEqual([full]);
  });
});

test('alone: nothing is committed meanwhile, and what waits goes on whatever comes of it', async () => {
  const it = new Committing('processed');
  const progress = it.progress();
  let end!: (error: Error) => void;
  const work = it.committer.alone(() => new Promise<void>((_, reject) => (end = reject)));
  await settle();
  process(progress, 2);
  await settle();
  expect(it.calls).toEqual([]);
  end(new Error('failed'));
  await expect(work).rejects.toThrow('failed');
  await it.answer();
  expect(it.calls).toEqual([['0:2']]);
});

test('alone: what it committed is not taken back by who asked for less meanwhile', async () => {
  const it = new Committing('manual');
  const progress = it.progress();
  let done!: () => void;
  const work = it.committer.alone(() => new Promise<void>((resolve) => (done = resolve)));
  await settle();
  const less = it.committer.commit(progress, 2);
  progress.beginTransaction(3).end(true);
  done();
  await Promise.all([work, less]);
  expect(it.calls).toEqual([]);
  const exactly = it.committer.commitExactly(progress, 1, '');
  await it.answer();
  await exactly;
  expect([it.calls, progress.committed]).toEqual([[['0:1']], 1]);
});

test('flush rejects where it is not stored', async () => {
  const it = new Committing({ everyMs: 1000 });
  const progress = it.progress();
  process(progress, 2);
  const flushed = it.committer.flush([progress]);
  const failed = expect(flushed).rejects.toBe(full);
  await it.answer(full);
  await failed;
});

test('a place beyond the end that somebody sought is not reported: the next fetch resets it', async () => {
  const committing = new Committing('processed');
  const progress = committing.progress();
  progress.seek(77);
  process(progress, 78);
  await committing.answer(new TablogError(OFFSET_OUT_OF_RANGE, 'the end is 10'));
  expect(committing.errors).toEqual([]);
  progress.seek(0);
  process(progress, 1);
  await committing.answer();
  expect(committing.calls).toEqual([['0:78'], ['0:1']]);
});

test('flush waits for its own partitions, and not until every partition is quiet', async () => {
  const it = new Committing('processed');
  const [busy, idle] = [it.progress(0), it.progress(1)];
  process(busy, 1);
  await settle();
  let isFlushed = false;
  void it.committer.flush([idle]).then(() => (isFlushed = true));
  process(busy, 2); // goes into the next commit, which is in flight from then on
  await it.answer();
  expect(it.calls).toEqual([['0:1'], ['0:2']]);
  expect(isFlushed).toBe(true);
});

test('flush waits for commits of the application that come while it runs', async () => {
  const it = new Committing('processed');
  const progress = it.progress();
  process(progress, 1);
  await settle();
  let isFlushed = false;
  void it.committer.flush([progress]).then(() => (isFlushed = true));
  void it.committer.commitExactly(progress, 1, 'mine');
  await it.answer();
  expect(isFlushed).toBe(false);
  await it.answer();
  expect(isFlushed).toBe(true);
});

test('everyMs: progress during a commit waits for the next time', async () => {
  const it = new Committing({ everyMs: 500 });
  const progress = it.progress();
  process(progress, 1);
  it.clock.advance(500);
  await settle();
  process(progress, 2);
  await it.answer();
  expect(it.calls).toEqual([['0:1']]);
  it.clock.advance(500);
  await it.answer();
  expect(it.calls).toEqual([['0:1'], ['0:2']]);
});
