import { describe, expect, test } from 'vitest';
import type { OffsetRow } from '../../../src/broker/rows/offset-row.ts';
import type { OffsetCommit } from '../../../src/protocol/group.ts';
import type { TopicInfo } from '../../../src/protocol/topic.ts';
import { OFFSETS } from '../../../src/store/schema.ts';
import { batch, errorOf } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { GROUP_ID, Member } from './group-fixture.ts';
import { World } from '../../support/world.ts';

/** Ten records in each of two partitions, and two brokers. */
async function tenRecords(): Promise<{
  log: World;
  one: TestBroker;
  other: TestBroker;
  orders: TopicInfo;
}> {
  const log = new World();
  const [one, other] = [log.broker(), log.broker()];
  const orders = await one.create('orders', 2);
  for (let partition = 0; partition < 2; partition++) await fill(one, orders, partition, 10);
  return { log, one, other, orders };
}

async function fill(
  broker: TestBroker,
  topic: TopicInfo,
  partition: number,
  count: number,
): Promise<void> {
  const values = Array.from({ length: count }, (_, i) => String(i));
  await broker.produce(topic, batch(...values), { partition });
}

async function offsetsIn({ broker }: TestBroker): Promise<number[]> {
  return (await broker.listGroupOffsets({ groupId: GROUP_ID })).map(({ offset }) => offset);
}

async function begins(member: Member, ...from: Parameters<Member['positions']>): Promise<number[]> {
  return (await member.positions(...from)).map(({ offset }) => offset);
}

/** Changes the rows of the store `offsets` behind the brokers' backs. */
async function changeRows(
  { store }: World,
  change: (row: OffsetRow) => Partial<OffsetRow>,
): Promise<void> {
  for (const row of await store.readAll<OffsetRow>(OFFSETS)) {
    const key = [row.groupId, row.topicId, row.partition] as const;
    await store.update([{ store: OFFSETS, key }], (_, write) => {
      write.put(OFFSETS, key, { ...row, ...change(row) });
    });
  }
}

describe('positionPartitions', () => {
  test('begins by from where nothing is committed, and commits that at once', async () => {
    const { one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    expect(await begins(a, { at: 'latest' })).toEqual([10, 10]);
    expect(await offsetsIn(one)).toEqual([10, 10]);
  });

  test('so that who takes over does not begin elsewhere', async () => {
    const { one, other, orders } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    expect(await begins(a, { at: 'latest' })).toEqual([10, 10]);
    await fill(one, orders, 0, 5);
    await a.leave();
    const b = await Member.join(other.broker, 'b');
    expect(await begins(b, { at: 'latest' })).toEqual([10, 10]);
  });

  test('goes on where the group left off, whatever from says', async () => {
    const { one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.positions();
    await a.commit(a.assignment(0), 4);
    await a.commit(a.assignment(1), 10);
    await a.leave();
    const b = await Member.join(other.broker, 'b');
    const positions = await b.positions({ at: 'latest' });
    expect(positions.map(({ offset, reset }) => [offset, reset])).toEqual([
      [4, null],
      [10, null],
    ]);
  });

  test.each([
    ['an offset', { offset: 4 }, 4],
    ['an offset beyond the end', { offset: 99 }, 10],
    ['a time', { at: 1_000 }, 0],
    ['a time after the last record', { at: 1_001 }, 10],
  ])('begins at %s', async (_, from, offset) => {
    const { one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    expect(await begins(a, from)).toEqual([offset, offset]);
  });

  test('begins with the first record of a topic or partition that came since', async () => {
    const { one, other, orders } = await tenRecords();
    const subscription = { topics: ['orders', 'later'], patterns: [] };
    const a = await Member.join(one.broker, 'a', { subscription });
    await a.positions({ at: 'latest' });
    const later = await other.create('later');
    await other.append(later, 'x', 'y');
    await other.broker.createPartitions([{ name: 'orders', partitions: 3 }]);
    await fill(other, orders, 2, 3);
    const positions = await a.positions({ at: 'latest' });
    const found = positions.map(({ topicId, partition, offset }) => [
      topicId === later.id ? 'later' : 'orders',
      partition,
      offset,
    ]);
    expect(found).toEqual([
      ['later', 0, 0],
      ['orders', 0, 10],
      ['orders', 1, 10],
      ['orders', 2, 0],
    ]);
  });

  test('says so where what was committed does not exist, and follows from', async () => {
    const { log, one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.positions();
    await changeRows(log, () => ({ offset: 99 }));
    const reset = { committed: 99, start: 0, end: 10 };
    expect(await a.positions({ offset: 7 })).toMatchObject([
      { offset: 7, reset },
      { offset: 7, reset },
    ]);
    expect(await offsetsIn(one)).toEqual([7, 7]);
  });

  test('ignores what was committed of another log', async () => {
    const { log, one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.positions();
    await a.commit(a.assignment(0), 5);
    await changeRows(log, () => ({ logId: 'one that was lost' }));
    expect(await offsetsIn(one)).toEqual([]);
    const [first] = await a.positions({ at: 'latest' });
    expect(first).toMatchObject({ offset: 10, reset: null });
    expect(await offsetsIn(one)).toEqual([10, 10]);
  });

  test('is FENCED for a partition that the member does not have', async () => {
    const { one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    const partitions = [
      { ...a.assignment(0), assignmentEpoch: a.assignment(0).assignmentEpoch - 1 },
    ];
    const request = { member: a.ref, partitions, from: { at: 'earliest' } } as const;
    expect((await errorOf(one.broker.positionPartitions(request))).code).toBe('FENCED');
    expect(await offsetsIn(one)).toEqual([]);
  });
});

describe('commitOffsets', () => {
  test('keeps offset, metadata and time; the last one counts, also a lower one', async () => {
    const { log, one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.commit(a.assignment(1), 8);
    log.clock.advance(5);
    await a.commit(a.assignment(1), 3, 'back');
    expect(await other.broker.listGroupOffsets({ groupId: GROUP_ID })).toEqual([
      {
        topic: 'orders',
        partition: 1,
        offset: 3,
        metadata: 'back',
        committedAt: log.clock.now(),
      },
    ]);
  });

  test('beyond the end is OFFSET_OUT_OF_RANGE, and nothing of it is stored', async () => {
    const { one } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    const offsets = [
      { ...a.assignment(0), offset: 10, metadata: '' },
      { ...a.assignment(1), offset: 11, metadata: '' },
    ];
    expect(await errorOf(one.broker.commitOffsets({ member: a.ref, offsets }))).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 1, offset: 11, endOffset: 10 },
    });
    expect(await offsetsIn(one)).toEqual([]);
  });

  test('is fenced by the epoch of each partition, and then stores none', async () => {
    const { one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.positions();
    const mine = a.assignment(1);
    const b = await Member.join(other.broker, 'b');
    await a.commit(mine, 2); // asked for, and not given up yet
    await a.release();
    await b.sync();
    const offsets = [a.assignment(0), mine].map((assignment) => ({
      ...assignment,
      offset: 5,
      metadata: '',
    }));
    const request = { member: a.ref, offsets };
    expect((await errorOf(one.broker.commitOffsets(request))).code).toBe('FENCED');
    expect(await offsetsIn(one)).toEqual([0, 2]);
    await b.leave();
    await a.sync(); // it has the partition again, in another life
    expect((await errorOf(a.commit(mine, 9))).code).toBe('FENCED');
    await a.commit(a.assignment(1), 9);
    expect(await offsetsIn(one)).toEqual([0, 9]);
  });

  test('of a topic that was deleted is UNKNOWN_TOPIC', async () => {
    const { one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await other.broker.deleteTopics(['orders']);
    expect((await errorOf(a.commit(a.assignment(0), 1))).code).toBe('UNKNOWN_TOPIC');
  });
});

describe('a topic that is deleted', () => {
  test('takes the committed offsets of all groups with it; the others stay', async () => {
    const { log, one, other } = await tenRecords();
    await one.create('refunds');
    const subscription = { topics: ['orders', 'refunds'], patterns: [] };
    const a = await Member.join(one.broker, 'a', { subscription });
    await a.positions();
    await other.broker.deleteTopics(['orders']);
    const rows = await log.store.readAll<OffsetRow>(OFFSETS);
    expect(rows).toHaveLength(1);
    expect(await one.broker.listGroupOffsets({ groupId: GROUP_ID })).toMatchObject([
      { topic: 'refunds' },
    ]);
  });

  test('and made again starts afresh', async () => {
    const { one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    await a.positions();
    await a.commit(a.assignment(0), 7);
    await a.leave();
    await other.broker.deleteTopics(['orders']);
    const made = await other.create('orders', 2);
    await fill(other, made, 0, 10);
    const b = await Member.join(one.broker, 'b');
    expect(await begins(b)).toEqual([0, 0]);
  });
});

describe('a commit that a hung broker makes late', () => {
  test('with the leaving of an earlier life does not take later commits back', async () => {
    const { one, other } = await tenRecords();
    const a = await Member.join(one.broker, 'a');
    const commit = (offset: number, sequence: number): OffsetCommit[] => [
      { ...a.assignment(0), offset, sequence, metadata: '' },
    ];
    await other.broker.commitOffsets({ member: a.ref, offsets: commit(8, 2) });
    await one.broker.leaveGroup({ member: a.ref, offsets: commit(3, 1) });
    expect((await offsetsIn(one))[0]).toBe(8);
  });
});
