import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/index.ts';
import type { Log, ResetEvent } from '../../../src/index.ts';
import { take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  openStubbed,
  openTabs,
  reading,
} from '../../support/group-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

/** A log with 10 records in each of 4 partitions of 't', and 5 in 'u'. */
async function filledLog(): Promise<Log> {
  const [log] = await openTabs(1, four, 'u');
  await fill(log!, 10, [0, 1, 2, 3]);
  await fill(log!, 5, [0], 'u');
  return log!;
}

const at = (partition: number, offset: number) => ({ topic: 't', partition, offset });

describe('a group that nobody has joined', () => {
  test('is created, and a consumer begins there', async () => {
    const log = await filledLog();
    const before = Date.now();
    const told = await log.admin.alterGroupOffsets('g', [
      { ...at(2, 7), metadata: 'from a backup' },
      { topic: 'u', partition: 0, offset: 3 },
    ]);
    expect(told).toEqual([
      { ...at(2, 7), metadata: 'from a backup', committedAt: expect.any(Number) as number },
      { topic: 'u', partition: 0, offset: 3, metadata: '', committedAt: told[0].committedAt },
    ]);
    expect(told[0].committedAt).toBeGreaterThanOrEqual(before);
    expect(await log.admin.listGroupOffsets('g')).toEqual(told);
    expect(await log.admin.listGroups()).toEqual([{ group: 'g', state: 'empty', members: 0 }]);
    expect(await log.admin.describeGroups(['g'])).toMatchObject([
      { group: 'g', state: 'empty', members: [] },
    ]);

    const { consumer } = await joined(log, { topics: ['t', 'u'], from: 'latest' });
    const positions = consumer.assignment.map((where) => consumer.position(where));
    expect(positions).toEqual([10, 10, 7, 10, 3]);
  });

  test('takes any assignor from its first member', async () => {
    const log = await filledLog();
    await log.admin.alterGroupOffsets('g', [at(0, 1)]);
    await joined(log, { assignor: 'range' });
    expect((await log.admin.describeGroups(['g']))[0].assignor).toBe('range');
  });

  test('is described with its lag', async () => {
    const log = await filledLog();
    await log.admin.alterGroupOffsets('g', [at(0, 4)]);
    const [{ partitions }] = await log.admin.describeGroups(['g']);
    expect(partitions[0]).toMatchObject({ committedOffset: 4, lag: 6, owner: null });
  });

  test('is not created by no offsets', async () => {
    const log = await filledLog();
    expect(await log.admin.alterGroupOffsets('g', [])).toEqual([]);
    expect(await log.admin.listGroups()).toEqual([]);
  });

  test('is deleted as any other', async () => {
    const log = await filledLog();
    await log.admin.alterGroupOffsets('g', [at(0, 4)]);
    await log.admin.deleteGroups(['g']);
    expect(await log.admin.listGroups()).toEqual([]);
    await log.admin.alterGroupOffsets('g', [at(1, 4)]);
    expect(await committed(log)).toEqual({ 't/1': 4 });
  });

  test('is created once by two at once', async () => {
    const [first, second] = await openTabs(2, four);
    await fill(first!, 10, [0, 1, 2, 3]);
    await Promise.all([
      first!.admin.alterGroupOffsets('g', [at(0, 4)]),
      second!.admin.alterGroupOffsets('g', [at(1, 5)]),
    ]);
    expect(await committed(first!)).toEqual({ 't/0': 4, 't/1': 5 });
  });
});

describe('a group whose members have left', () => {
  test('goes on from there, forwards and back; what is not named stays', async () => {
    const log = await filledLog();
    const a = await reading(log);
    const all = { 't/0': 10, 't/1': 10, 't/2': 10, 't/3': 10 };
    await eventually(async () => expect(await committed(log)).toEqual(all));
    await a.consumer.close();
    await log.admin.alterGroupOffsets('g', [at(3, 8), at(1, 2)]);
    expect(await committed(log)).toEqual({ ...all, 't/1': 2, 't/3': 8 });
    const b = await joined(log);
    const read = await take(b.consumer, 10);
    expect(new Set(read.map(({ partition }) => partition))).toEqual(new Set([1, 3]));
  });

  test('begins before the start where it says so, and a reader is told', async () => {
    const log = await filledLog();
    await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 6 }]);
    await log.admin.alterGroupOffsets('g', [at(0, 2)]);
    expect(await committed(log)).toEqual({ 't/0': 2 });
    const consumer = log.consumer({ group: 'g', topics: ['t'], from: 'earliest' });
    const resets: ResetEvent[] = [];
    consumer.on('reset', (event) => void resets.push(event));
    await consumer.ready;
    expect(resets).toMatchObject([{ topic: 't', partition: 0, outOfRange: 2, offset: 6 }]);
  });
});

describe('a group with members', () => {
  test('is NON_EMPTY_GROUP, and nothing changes', async () => {
    const log = await filledLog();
    const a = await joined(log, { from: 'latest' });
    await expect(log.admin.alterGroupOffsets('g', [at(0, 1)])).rejects.toMatchObject({
      code: 'NON_EMPTY_GROUP',
      details: { group: 'g', members: 1 },
    });
    await settle();
    expect(await committed(log)).toMatchObject({ 't/0': 10 });
    expect(a.events).toHaveLength(1);
  });

  test('by force: its members go on from there', async () => {
    const log = await filledLog();
    const a = await reading(log);
    await eventually(() => expect(a.read).toHaveLength(40));
    await log.admin.alterGroupOffsets('g', [at(2, 7)], { force: true });
    await eventually(() => expect(a.read).toHaveLength(43));
    expect(a.read.slice(40)).toEqual(['t/2@7', 't/2@8', 't/2@9']);
  });
});

describe('what cannot be committed', () => {
  test('beyond the end: OFFSET_OUT_OF_RANGE, all or none', async () => {
    const log = await filledLog();
    await expect(log.admin.alterGroupOffsets('g', [at(0, 3), at(1, 11)])).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { topic: 't', partition: 1, offset: 11, endOffset: 10 },
      message: expect.stringContaining("partition 1 of 't'") as string,
    });
    expect(await log.admin.listGroups()).toEqual([]);
    await log.admin.alterGroupOffsets('g', [at(0, 10)]); // the end itself is what comes next
  });

  test('of a topic or a partition that is not there', async () => {
    const log = await filledLog();
    const nowhere = log.admin.alterGroupOffsets('g', [
      at(0, 3),
      { topic: 'nowhere', partition: 0, offset: 0 },
    ]);
    await expect(nowhere).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      details: { topic: 'nowhere' },
    });
    await expect(log.admin.alterGroupOffsets('g', [at(4, 0)])).rejects.toThrow(RangeError);
    expect(await log.admin.listGroups()).toEqual([]);
  });

  test.each<[string, unknown[], string]>([
    ['no name', ['', []], 'a group name must be'],
    ['no array', ['g', at(0, 1)], 'alterGroupOffsets() takes an array of offsets, got {'],
    ['null in it', ['g', [null]], 'alterGroupOffsets() takes an object of options, got null'],
    ['a position', ['g', [{ ...at(0, 0), offset: 'latest' }]], 'an offset must be an integer'],
    ['-1', ['g', [at(0, -1)]], 'an offset must be an integer of at least 0, got -1'],
    ['no partition', ['g', [{ topic: 't', offset: 1 }]], 'partition must be an integer'],
    ['metadata', ['g', [{ ...at(0, 0), metadata: 1 }]], 'the metadata of a commit is a string'],
    ['a misspelt field', ['g', [{ ...at(0, 0), meta: '' }]], 'no option "meta"'],
    ['one twice', ['g', [at(0, 1), at(0, 2)]], 'was given the partition "t/0" twice'],
    ['an unknown option', ['g', [at(0, 1)], { forced: true }], 'did you mean force?'],
    ['force', ['g', [at(0, 1)], { force: 1 }], 'force must be true or false, got 1'],
  ])('%s is a mistake', async (_, given, message) => {
    const log = await filledLog();
    const admin = log.admin as unknown as {
      alterGroupOffsets(...given: readonly unknown[]): Promise<unknown>;
    };
    await expect(admin.alterGroupOffsets(...given)).rejects.toThrow(message);
    expect(await log.admin.listGroups()).toEqual([]);
  });
});

test('a reset names its places by topic and partition, and tells them in that order', async () => {
  const log = await filledLog();
  await log.admin.alterGroupOffsets('g', [{ ...at(0, 1), metadata: 'm' }]);
  const told = await log.admin.resetGroupOffsets('g', [
    { topic: 'u', to: 'latest' },
    { topic: 't', partition: 2, to: 400 },
    { topic: 't', partition: 0, to: 'earliest' },
  ]);
  expect(told).toMatchObject([
    { topic: 'u', partition: 0, offset: 5, metadata: '' },
    { ...at(2, 10), metadata: '' },
    { ...at(0, 0), metadata: '' },
  ]);
  expect(await committed(log)).toEqual({ 't/0': 0, 't/2': 10, 'u/0': 5 });
  await expect(
    log.admin.resetGroupOffsets('g', [
      { topic: 't', to: 'latest' },
      { topic: 't', partition: 2, to: 0 },
    ]),
  ).rejects.toThrow('was given the partition "t" twice');
});

test('a call whose answer was lost is made again', async () => {
  const { log, stubbed, host } = await openStubbed(four);
  await fill(log, 10, [0, 1, 2, 3]);
  let calls = 0;
  host.answer('alterGroupOffsets', async (request, real) => {
    const answer = await real(request);
    if (++calls === 1) throw new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');
    return answer;
  });
  const [told] = await stubbed.admin.alterGroupOffsets('g', [at(0, 4)]);
  expect(told).toMatchObject(at(0, 4));
  expect(calls).toBe(2);
  expect(await committed(log)).toEqual({ 't/0': 4 });
});
