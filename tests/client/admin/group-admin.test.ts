import { describe, expect, test } from 'vitest';
import type { Log } from '../../../src/index.ts';
import { take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openTabs,
  reading,
} from '../../support/group-fixture.ts';
import { eventually, latch, settle } from '../../support/waiting.ts';

/** A log with 10 records in each of 4 partitions, and a group that has read them all and left. */
async function logOfReaders(): Promise<Log> {
  const [log] = await openTabs(1, four);
  const records = [0, 1, 2, 3].flatMap((partition) =>
    Array.from({ length: 10 }, (_, i) => ({ value: 'v', partition, timestamp: i * 1000 })),
  );
  await log!.producer().sendBatch('t', records);
  const a = await reading(log!);
  const all = { 't/0': 10, 't/1': 10, 't/2': 10, 't/3': 10 };
  await eventually(async () => expect(await committed(log!)).toEqual(all));
  await a.consumer.close();
  return log!;
}

const notFound = { code: 'GROUP_ID_NOT_FOUND', details: { group: 'nobody' } };

describe('listGroups', () => {
  test('tells their states and how many members they have', async () => {
    const [mine, other] = await openTabs(2, four);
    expect(await mine!.admin.listGroups()).toEqual([]);
    const { opened, open } = latch();
    const a = await joined(mine!, { group: 'moving' });
    a.consumer.on('revoked', () => opened);
    const b = new Member(other!, { group: 'moving' });
    await eventually(() => expect(a.events).toHaveLength(2));
    await joined(mine!, { group: 'stable' });
    await (await joined(mine!, { group: 'empty' })).consumer.close();
    expect(await other!.admin.listGroups()).toEqual([
      { group: 'empty', state: 'empty', members: 0 },
      { group: 'moving', state: 'reconciling', members: 2 },
      { group: 'stable', state: 'stable', members: 1 },
    ]);
    open();
    await b.consumer.ready;
    expect(await other!.admin.listGroups()).toContainEqual({
      group: 'moving',
      state: 'stable',
      members: 2,
    });
  });
});

describe('describeGroups', () => {
  test('tells members, owners, offsets and lag', async () => {
    const [mine, other] = await openTabs(2, four, 'u');
    await fill(mine!, 10, [0, 1, 2, 3]);
    const before = Date.now();
    const a = await joined(mine!, { memberId: 'a', commit: 'manual', assignor: 'range' });
    await joined(other!, { memberId: 'b', topics: ['t', /^v/] });
    await a.consumer.commit([{ topic: 't', partition: 0, offset: 4, metadata: 'm' }]);
    const [described] = await other!.admin.describeGroups(['g']);
    expect(described).toMatchObject({ group: 'g', state: 'stable', assignor: 'range' });
    expect(described.members).toMatchObject([
      { memberId: 'a', visible: true, topics: ['t'], patterns: [] },
      { memberId: 'b', visible: true, topics: ['t'], patterns: [/^v/] },
    ]);
    const [first, second] = described.members;
    expect(first!.clientId).not.toBe(second!.clientId);
    expect(first!.joinedAt).toBeGreaterThanOrEqual(before);
    expect(second!.joinedAt).toBeGreaterThanOrEqual(first!.joinedAt);
    const range = { topic: 't', startOffset: 0, endOffset: 10 };
    const begun = { ...range, committedOffset: 0, metadata: '', lag: 10 };
    expect(described.partitions).toEqual([
      {
        ...range,
        partition: 0,
        owner: 'a',
        target: 'a',
        committedOffset: 4,
        metadata: 'm',
        lag: 6,
      },
      { ...begun, partition: 1, owner: 'a', target: 'a' },
      { ...begun, partition: 2, owner: 'b', target: 'b' },
      { ...begun, partition: 3, owner: 'b', target: 'b' },
    ]);
  });

  test('tells the target of a partition that moves, and that the generation goes up', async () => {
    const [mine, other] = await openTabs(2, 't');
    const { opened, open } = latch();
    const a = await joined(mine!, { memberId: 'a', topics: ['t', 'u'] });
    const [{ generation }] = await mine!.admin.describeGroups(['g']);
    a.consumer.on('revoked', () => opened);
    await mine!.admin.createTopics(['u']);
    await eventually(() => expect(a.owns).toHaveLength(2));
    const b = new Member(other!, { memberId: 'b', topics: ['t'] });
    await eventually(() => expect(a.events).toContain('revoked t/0'));
    const [described] = await mine!.admin.describeGroups(['g']);
    expect(described.state).toBe('reconciling');
    expect(described.generation).toBeGreaterThan(generation);
    expect(described.partitions[0]).toMatchObject({ topic: 't', owner: 'a', target: 'b' });
    expect(described.partitions[1]).toMatchObject({ topic: 'u', owner: 'a', target: 'a' });
    open();
    await b.consumer.ready;
    const [t] = (await mine!.admin.describeGroups(['g']))[0].partitions;
    expect(t).toMatchObject({ owner: 'b', target: 'b' });
  });

  test('of a group that is empty tells what it committed, and its lag grows', async () => {
    const log = await logOfReaders();
    await fill(log, 5, [2]);
    const [{ members, state, partitions }] = await log.admin.describeGroups(['g']);
    expect({ members, state }).toEqual({ members: [], state: 'empty' });
    expect(partitions.map(({ owner }) => owner)).toEqual([null, null, null, null]);
    expect(partitions.map(({ target }) => target)).toEqual([null, null, null, null]);
    expect(partitions.map(({ lag }) => lag)).toEqual([0, 0, 5, 0]);
  });

  test('of nobody is GROUP_ID_NOT_FOUND', async () => {
    const [log] = await openTabs(1);
    await expect(log!.admin.describeGroups(['nobody'])).rejects.toMatchObject(notFound);
  });
});

describe('listGroupOffsets', () => {
  test('tells what was committed, by topic and partition', async () => {
    const log = await logOfReaders();
    const offsets = await log.admin.listGroupOffsets('g');
    expect(offsets).toMatchObject(
      [0, 1, 2, 3].map((partition) => ({ topic: 't', partition, offset: 10, metadata: '' })),
    );
  });

  test('of nobody is GROUP_ID_NOT_FOUND', async () => {
    const [log] = await openTabs(1);
    await expect(log!.admin.listGroupOffsets('nobody')).rejects.toMatchObject(notFound);
  });
});

describe('deleteGroups', () => {
  test('deletes groups with their offsets', async () => {
    const log = await logOfReaders();
    await (await joined(log, { group: 'h' })).consumer.close();
    await log.admin.deleteGroups(['g']);
    expect(await log.admin.listGroups()).toMatchObject([{ group: 'h' }]);
    await expect(log.admin.listGroupOffsets('g')).rejects.toMatchObject({
      code: 'GROUP_ID_NOT_FOUND',
    });
    expect(await committed(log, 'h')).toEqual({ 't/0': 0, 't/1': 0, 't/2': 0, 't/3': 0 });
    const again = await joined(log, { from: 3 });
    expect(await committed(log)).toEqual({ 't/0': 3, 't/1': 3, 't/2': 3, 't/3': 3 });
    expect(again.events).toEqual(['assigned t/0 t/1 t/2 t/3']);
  });

  test.each([
    ['NON_EMPTY_GROUP', 'h', { group: 'h', members: 1 }],
    ['GROUP_ID_NOT_FOUND', 'nobody', { group: 'nobody' }],
  ])('all or none: %s', async (code, group, details) => {
    const log = await logOfReaders();
    await joined(log, { group: 'h' });
    await expect(log.admin.deleteGroups(['g', group])).rejects.toMatchObject({ code, details });
    expect(await log.admin.listGroups()).toHaveLength(2);
    expect(await committed(log)).toMatchObject({ 't/0': 10 });
  });

  test('twice the same is once, and none is none', async () => {
    const log = await logOfReaders();
    await log.admin.deleteGroups([]);
    await log.admin.deleteGroups(['g', 'g']);
    expect(await log.admin.listGroups()).toEqual([]);
  });
});

describe('resetGroupOffsets', () => {
  test.each([
    ['earliest', 0],
    ['latest', 10],
    [4, 4],
    [400, 10],
    [new Date(6500), 7],
  ] as const)('to %s, of all partitions', async (to, offset) => {
    const log = await logOfReaders();
    const told = await log.admin.resetGroupOffsets('g', [{ topic: four, to }]);
    expect(told.map((at) => at.offset)).toEqual([offset, offset, offset, offset]);
    expect(await log.admin.listGroupOffsets('g')).toEqual(told);
    const a = await joined(log, { from: 'latest' });
    expect(a.consumer.assignment.map((at) => a.consumer.position(at))).toEqual(
      Array(4).fill(offset),
    );
  });

  test('of some partitions', async () => {
    const log = await logOfReaders();
    await log.admin.resetGroupOffsets('g', [
      { topic: 't', partition: 1, to: 2 },
      { topic: 't', partition: 3, to: 2 },
    ]);
    expect(await committed(log)).toEqual({ 't/0': 10, 't/1': 2, 't/2': 10, 't/3': 2 });
    const a = await joined(log);
    const read = await take(a.consumer, 16);
    expect(new Set(read.map(({ partition }) => partition))).toEqual(new Set([1, 3]));
  });

  test('of a topic that the group has never read is where it will begin', async () => {
    const log = await logOfReaders();
    await log.admin.createTopics(['u']);
    await fill(log, 5, [0], 'u');
    await log.admin.resetGroupOffsets('g', [{ topic: 'u', to: 3 }]);
    const a = await joined(log, { topics: ['u'] });
    expect(a.consumer.position({ topic: 'u', partition: 0 })).toBe(3);
  });

  test('while there are members is NON_EMPTY_GROUP, and changes nothing', async () => {
    const log = await logOfReaders();
    const a = await joined(log);
    await expect(log.admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }])).rejects.toMatchObject({
      code: 'NON_EMPTY_GROUP',
      details: { group: 'g', members: 1 },
    });
    await settle();
    expect(await committed(log)).toMatchObject({ 't/0': 10 });
    expect(a.events).toHaveLength(1);
  });

  test('by force: every member goes on from there', async () => {
    const log = await logOfReaders();
    const members = [await reading(log), await reading(log)];
    await log.admin.resetGroupOffsets('g', [{ topic: 't', to: 'earliest' }], { force: true });
    const read = (): string[] => members.flatMap((member) => member.read);
    await eventually(() => expect(new Set(read()).size).toBe(40));
    expect(read()).toHaveLength(40);
    const all = { 't/0': 10, 't/1': 10, 't/2': 10, 't/3': 10 };
    await eventually(async () => expect(await committed(log)).toEqual(all));
    expect(members.map(({ owns }) => owns.length)).toEqual([2, 2]);
  });

  test('by force, while a message is in hand: it is not committed, and comes again', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 5);
    const { opened, open } = latch();
    const a = await reading(log!, {}, ({ offset }) => (offset === 3 ? opened : undefined));
    await eventually(() => expect(a.read.at(-1)).toBe('t/0@3'));
    await log!.admin.resetGroupOffsets('g', [{ topic: 't', to: 1 }], { force: true });
    await eventually(() => expect(a.events).toHaveLength(3));
    expect(await committed(log!)).toEqual({ 't/0': 1 });
    open();
    await eventually(() => expect(a.read).toHaveLength(8));
    expect(a.read.slice(4)).toEqual(['t/0@1', 't/0@2', 't/0@3', 't/0@4']);
  });

  test('refuses what is not there', async () => {
    const log = await logOfReaders();
    const { admin } = log;
    await expect(admin.resetGroupOffsets('nobody', [{ topic: 't', to: 0 }])).rejects.toMatchObject(
      notFound,
    );
    await expect(admin.resetGroupOffsets('g', [{ topic: 'nowhere', to: 0 }])).rejects.toMatchObject(
      {
        code: 'UNKNOWN_TOPIC',
      },
    );
    await expect(
      admin.resetGroupOffsets('g', [{ topic: 't', partition: 4, to: 0 }]),
    ).rejects.toThrow(RangeError);
    expect(await committed(log)).toMatchObject({ 't/0': 10 });
    expect(await admin.listGroups()).toHaveLength(1);
  });
});
