import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_FULL } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { Request } from '../../../src/protocol/broker.ts';
import type { Append } from '../../../src/protocol/produce.ts';
import type { TopicInfo } from '../../../src/protocol/topic.ts';
import type { CommitRequest } from '../../../src/protocol/group.ts';
import { batch, errorOf, valuesOf } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import type { ManualClock } from '../../support/manual-clock.ts';
import { GROUP_ID, Member } from '../groups/group-fixture.ts';
import { idle, settle } from '../../support/waiting.ts';
import { World } from '../../support/world.ts';

const NOTHING = { appends: [], durability: 'relaxed', commits: [], producer: null } as const;

function appendTo({ id }: TopicInfo, partition: number, ...values: string[]): Append {
  return { topicId: id, partition, batch: batch(...values), compression: 'none' };
}

/** A broker, two topics, and the only member of a group that reads the first. */
async function aMember(): Promise<{
  broker: TestBroker;
  other: TestBroker;
  orders: TopicInfo;
  letters: TopicInfo;
  member: Member;
  clock: ManualClock;
}> {
  const log = new World();
  const broker = log.broker();
  const orders = await broker.create('orders', 2);
  const letters = await broker.create('letters', 2);
  for (let partition = 0; partition < 2; partition++) {
    await broker.produce(orders, batch('0', '1', '2'), { partition });
  }
  const member = await Member.join(broker.broker, 'a');
  await member.positions();
  return { broker, other: log.broker(), orders, letters, member, clock: log.clock };
}

function commitOf({ ref, view }: Member, ...offsets: number[]): CommitRequest {
  const commits = offsets.map((offset, i) => ({ ...view.owned[i]!, offset, metadata: `m${i}` }));
  return { member: ref, offsets: commits };
}

async function offsetsIn({ broker }: TestBroker): Promise<number[]> {
  return (await broker.listGroupOffsets({ groupId: GROUP_ID })).map(({ offset }) => offset);
}

describe('a transaction', () => {
  test('stores batches of several partitions and offsets, and says where each begins', async () => {
    const { broker, letters, member } = await aMember();
    await broker.produce(letters, batch('x'), { partition: 1 });
    const appends = [
      appendTo(letters, 1, 'a', 'b'),
      appendTo(letters, 0, 'c'),
      appendTo(letters, 1, 'd'),
    ];
    const request = { ...NOTHING, appends, commits: [commitOf(member, 2, 3)] };
    const placed = await broker.broker.transact(request);
    expect(placed).toEqual([1, 0, 3].map((baseOffset) => ({ baseOffset, appendTime: null })));
    expect(await broker.readAll(letters, { partition: 0 })).toEqual(['c']);
    expect(await broker.readAll(letters, { partition: 1 })).toEqual(['x', 'a', 'b', 'd']);
    expect(await broker.broker.listGroupOffsets({ groupId: GROUP_ID })).toMatchObject([
      { topic: 'orders', partition: 0, offset: 2, metadata: 'm0' },
      { topic: 'orders', partition: 1, offset: 3, metadata: 'm1' },
    ]);
  });

  test('is one update of the store, as durable as was asked', async () => {
    const { broker, letters, member } = await aMember();
    const before = broker.connection.updates.length;
    const appends = [appendTo(letters, 0, 'a'), appendTo(letters, 1, 'b')];
    const commit = commitOf(member, 1);
    await broker.broker.transact({ ...NOTHING, appends, commits: [commit], durability: 'strict' });
    expect(broker.connection.updates.slice(before)).toEqual(['strict']);
  });

  test('of nothing is nothing', async () => {
    const { broker } = await aMember();
    expect(await broker.broker.transact(NOTHING)).toEqual([]);
  });

  test('of offsets alone commits them', async () => {
    const { broker, member } = await aMember();
    expect(await broker.broker.transact({ ...NOTHING, commits: [commitOf(member, 1, 1)] })).toEqual(
      [],
    );
    expect(await offsetsIn(broker)).toEqual([1, 1]);
  });
});

describe('a transaction that fails leaves nothing behind', () => {
  /** Neither a record nor an offset. */
  async function expectNothing(broker: TestBroker, letters: TopicInfo): Promise<void> {
    for (const partition of [0, 1]) {
      expect(await broker.readAll(letters, { partition })).toEqual([]);
      expect(await broker.offset(letters, 'latest', { partition })).toBe(0);
    }
    expect(await offsetsIn(broker)).toEqual([0, 0]);
  }

  test('FENCED: an epoch of before', async () => {
    const { broker, letters, member } = await aMember();
    const commit = commitOf(member, 1, 1);
    const stale = {
      ...commit.offsets[1]!,
      assignmentEpoch: commit.offsets[1]!.assignmentEpoch - 1,
    };
    const appends = [appendTo(letters, 0, 'a'), appendTo(letters, 1, 'b')];
    const request = { ...NOTHING, appends };
    const zombie = { ...commit, offsets: [commit.offsets[0]!, stale] };
    const error = await errorOf(broker.broker.transact({ ...request, commits: [zombie] }));
    expect(error).toMatchObject({ code: 'FENCED', retriable: false });
    await expectNothing(broker, letters);
  });

  test('FENCED: a member that was removed, by another broker', async () => {
    const { broker, other, letters, member } = await aMember();
    await other.broker.leaveGroup({ member: member.ref, offsets: [] });
    const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
    const commit = commitOf(member, 1);
    const error = await errorOf(broker.broker.transact({ ...request, commits: [commit] }));
    expect(error.code).toBe('FENCED');
    await expectNothing(broker, letters);
  });

  test('FENCED: a commit that a later one of the same hold has overtaken', async () => {
    const { broker, other, letters, member } = await aMember();
    const [offset] = commitOf(member, 0).offsets;
    const request = (sequence: number): Request<'transact'> => ({
      ...NOTHING,
      appends: [appendTo(letters, 0, 'a')],
      commits: [{ member: member.ref, offsets: [{ ...offset!, sequence }] }],
    });
    await broker.broker.commitOffsets(request(2).commits[0]!);
    for (const through of [broker, other]) {
      expect((await errorOf(through.broker.transact(request(1)))).code).toBe('FENCED');
    }
    await expectNothing(broker, letters);
    await broker.broker.transact({ ...request(2), appends: [] }); // the same once more
    await broker.broker.transact(request(3));
    expect(await broker.readAll(letters)).toEqual(['a']);
  });

  test('a partition or a topic that is not there', async () => {
    const { broker, letters, member } = await aMember();
    const commit = commitOf(member, 1);
    for (const gone of [appendTo(letters, 7, 'a'), appendTo({ ...letters, id: 'no' }, 0, 'a')]) {
      const appends = [appendTo(letters, 0, 'a'), gone];
      const error = await errorOf(
        broker.broker.transact({ ...NOTHING, appends, commits: [commit] }),
      );
      expect(error.code).toBe('UNKNOWN_TOPIC');
    }
    await expectNothing(broker, letters);
  });

  test('a topic that another broker has deleted meanwhile', async () => {
    const { broker, other, orders, letters, member } = await aMember();
    await broker.append(letters, 'x'); // it knows the topic
    const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
    const deleted = other.broker.deleteTopics(['letters']);
    await deleted;
    const commit = commitOf(member, 1);
    const error = await errorOf(broker.broker.transact({ ...request, commits: [commit] }));
    expect(error.code).toBe('UNKNOWN_TOPIC');
    expect(await offsetsIn(broker)).toEqual([0, 0]);
    expect(await broker.readAll(orders)).toEqual(['0', '1', '2']);
  });

  test('a record that is too large, and a batch that is damaged', async () => {
    const { broker, letters, member } = await aMember();
    await broker.broker.alterTopics([{ name: 'letters', config: { maxRecordBytes: 100 } }]);
    const commit = commitOf(member, 1);
    const damaged = appendTo(letters, 1, 'b');
    new Uint8Array(damaged.batch)[8] = 99;
    for (const [bad, code] of [
      [appendTo(letters, 1, 'x'.repeat(200)), 'RECORD_TOO_LARGE'],
      [damaged, 'BATCH_CORRUPT'],
    ] as const) {
      const appends = [appendTo(letters, 0, 'a'), bad];
      const error = await errorOf(
        broker.broker.transact({ ...NOTHING, appends, commits: [commit] }),
      );
      expect(error.code).toBe(code);
    }
    await expectNothing(broker, letters);
  });

  test('a store that is full', async () => {
    const { broker, letters, member } = await aMember();
    broker.connection.failNext({ error: new TablogError(STORAGE_FULL, 'no room') });
    const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
    const commit = commitOf(member, 1);
    const error = await errorOf(broker.broker.transact({ ...request, commits: [commit] }));
    expect(error).toMatchObject({ code: 'STORAGE_FULL', retriable: true });
    await expectNothing(broker, letters);
  });
});

test('an outcome that is unknown is said, and not tried again', async () => {
  const { broker, letters, member } = await aMember();
  const unknown = new TablogError(OUTCOME_UNKNOWN, 'no answer');
  broker.connection.failNext({ error: unknown, stored: true });
  const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
  const commit = commitOf(member, 1);
  expect((await errorOf(broker.broker.transact({ ...request, commits: [commit] }))).code).toBe(
    'OUTCOME_UNKNOWN',
  );
  expect(await broker.readAll(letters)).toEqual(['a']);
  expect(await offsetsIn(broker)).toEqual([1, 0]);
});

test('a connection that was closed before is opened anew', async () => {
  const { broker, letters, member } = await aMember();
  broker.connection.close();
  const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
  await broker.broker.transact({ ...request, commits: [commitOf(member, 1)] });
  expect(broker.connections).toHaveLength(2);
  expect(await broker.readAll(letters)).toEqual(['a']);
});

describe('those who wait for records', () => {
  test('are woken, and served from memory', async () => {
    const { broker, letters } = await aMember();
    expect(await broker.readAll(letters)).toEqual([]);
    const waiting = broker.fetch(letters, { maxWaitMs: 1000 });
    await idle();
    const reads = broker.connection.segmentReads;
    await broker.broker.transact({ ...NOTHING, appends: [appendTo(letters, 0, 'a')] });
    expect(valuesOf(await waiting)).toEqual(['a']);
    expect(broker.connection.segmentReads).toBe(reads);
  });

  test('at another broker are woken too', async () => {
    const { broker, other, letters, clock } = await aMember();
    expect(await other.readAll(letters)).toEqual([]);
    const waiting = other.fetch(letters, { maxWaitMs: 1000 });
    await settle();
    await broker.broker.transact({ ...NOTHING, appends: [appendTo(letters, 0, 'a')] });
    clock.advance(20); // hints are sent together
    expect(valuesOf(await waiting)).toEqual(['a']);
  });

  test('are not woken by one that failed', async () => {
    const { broker, letters, member } = await aMember();
    await member.leave();
    let woken = false;
    const waiting = broker.fetch(letters, { maxWaitMs: 1000, fetchId: 77 }).then((found) => {
      woken = true;
      return found;
    });
    await idle();
    const request = { ...NOTHING, appends: [appendTo(letters, 0, 'a')] };
    const commit = commitOf(member, 1);
    await errorOf(broker.broker.transact({ ...request, commits: [commit] }));
    await settle();
    expect(woken).toBe(false);
    await broker.broker.cancelFetch({ clientId: 'client', fetchId: 77 });
    expect(await waiting).toBeUndefined();
  });
});

test('transactions and appends of several brokers at once lose and repeat nothing', async () => {
  const { broker, other, letters } = await aMember();
  const both = [broker, other];
  const bases = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const through = both[i % 2]!;
      if (i % 3 === 0) return through.append(letters, String(i));
      const appends = [appendTo(letters, 0, String(i)), appendTo(letters, 1, String(i))];
      return (await through.broker.transact({ ...NOTHING, appends }))[0]!.baseOffset;
    }),
  );
  expect(bases.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  const values = await broker.readAll(letters);
  bases.forEach((base, i) => expect(values[base]).toBe(String(i)));
  expect(await other.readAll(letters)).toEqual(values);
});
