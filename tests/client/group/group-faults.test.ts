import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/index.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { take } from '../../support/log-fixture.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  readOne,
  reading,
} from '../../support/group-fixture.ts';
import { eventually, latch, pass, settle, stopTime } from '../../support/waiting.ts';

const busy = new TablogError(STORAGE_UNAVAILABLE, 'the disk is busy');
const unknown = new TablogError(OUTCOME_UNKNOWN, 'the worker died');

/** The next `times` calls fail: before they are made, or after, so that only the answer is lost. */
function failNext(host: StubHost, method: Method, error: TablogError, times = 1): void {
  let left = times;
  host.answer(method, async (request, real) => {
    if (left-- <= 0) return real(request);
    if (error === unknown) await real(request).catch(() => {});
    throw error;
  });
}

const FAULTS: [string, TablogError][] = [
  ['a lost answer', unknown],
  ['a busy disk', busy],
];

describe.each(FAULTS)('%s', (_, error) => {
  test.each<Method>(['positionPartitions', 'syncGroup'])(
    'of %s delays a member, no more',
    async (method) => {
      await stopTime();
      const { log, stubbed, host } = await openStubbed(four);
      await fill(log, 3, [0, 1, 2, 3]);
      failNext(host, method, error);
      const a = new Member(stubbed);
      const loop = a.loop();
      await pass(2000, 100);
      expect(a.read).toHaveLength(12);
      expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3']);
      const b = await joined(log);
      expect(b.owns).toHaveLength(2);
      await a.consumer.close();
      await loop;
    },
  );

  test('of releasePartitions delays the move, no more', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed(four);
    const a = await joined(stubbed);
    failNext(host, 'releasePartitions', error);
    const b = new Member(log);
    await pass(3000, 100);
    expect(a.owns).toEqual(['t/0', 't/1']);
    expect(b.owns).toEqual(['t/2', 't/3']);
    expect((await log.admin.describeGroups(['g']))[0].state).toBe('stable');
    expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3', 'revoked t/2 t/3']);
  });

  test('of leaveGroup, once: the consumer closes all the same, and the group goes on', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    const a = await joined(stubbed);
    failNext(host, 'leaveGroup', error);
    await a.consumer.close().catch((reason: unknown) => expect(reason).toBe(error));
    await expect(a.consumer.commit([])).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await take(a.consumer, 1)).toEqual([]);
    if (error === unknown) expect((await joined(log)).owns).toHaveLength(4);
  });
});

describe('a lost answer', () => {
  test('of joinGroup: it is a member once', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    failNext(host, 'joinGroup', unknown);
    const a = await joined(stubbed);
    expect(a.owns).toHaveLength(4);
    expect((await log.admin.describeGroups(['g']))[0].members).toHaveLength(1);
  });

  test('of commitOffsets: it is committed, and nobody hears of it', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 5);
    failNext(host, 'commitOffsets', unknown);
    const a = await reading(stubbed);
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 5 }));
    expect(a.read).toHaveLength(5);
  });

  test('of commitOffsets, while the member is removed: FENCED', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 5);
    const message = await readOne(new Member(stubbed, { commit: 'manual' }).consumer);
    let calls = 0;
    host.answer('commitOffsets', async (request, real) => {
      if (++calls > 1) return real(request);
      await log.admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], { force: true });
      throw unknown;
    });
    await expect(message.commit()).rejects.toMatchObject({ code: 'FENCED' });
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });
});

describe('a busy disk', () => {
  test('of joinGroup delays a member, no more', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    failNext(host, 'joinGroup', busy, 2);
    const a = await joined(stubbed);
    expect(a.owns).toEqual(['t/0']);
    expect((await log.admin.describeGroups(['g']))[0].members).toHaveLength(1);
  });

  test('of joinGroup, where it joins again: it tries until it can', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    const a = await reading(stubbed, { sessionTimeoutMs: 1000 });
    const frozen = host.hold('syncGroup');
    const b = await joined(log, { sessionTimeoutMs: 1000 });
    await pass(2000, 50);
    await b.consumer.close();
    failNext(host, 'joinGroup', busy, 3);
    frozen.open();
    await pass(3000, 50);
    expect(a.events).toEqual(['assigned t/0', 'lost t/0', 'assigned t/0']);
    await fill(log, 1);
    await pass(100, 20);
    expect(a.read).toEqual(['t/0@0']);
  });

  test('of commitOffsets: the loop goes on, and the commit is sent again', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 5);
    const a = new Member(stubbed);
    failNext(host, 'commitOffsets', busy, 2);
    void a.loop();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 5 }));
    await fill(log, 1);
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 6 }));
    expect(a.read).toEqual(['t/0@0', 't/0@1', 't/0@2', 't/0@3', 't/0@4', 't/0@5']);
  });

  test('of commitOffsets: message.commit() says so, and can be called again', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 5);
    const message = await readOne(new Member(stubbed, { commit: 'manual' }).consumer);
    failNext(host, 'commitOffsets', busy);
    await expect(message.commit()).rejects.toBe(busy);
    await message.commit();
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('of commitOffsets, when a partition moves: it moves once the commit is stored', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 3, [0, 1, 2, 3]);
    const a = new Member(stubbed, { commit: { everyMs: 3_600_000 } });
    void a.loop();
    await eventually(() => expect(a.read).toHaveLength(12));
    await settle();
    failNext(host, 'commitOffsets', busy, 3);
    const b = await reading(log);
    await eventually(() => expect(b.owns).toEqual(['t/2', 't/3']));
    await fill(log, 1, [0, 1, 2, 3]);
    await eventually(() => expect(b.read.toSorted()).toEqual(['t/2@3', 't/3@3']));
    await eventually(() => expect(a.read).toHaveLength(14)); // its loop goes on
  });

  test('of commitOffsets for long, when a partition moves: it moves, and what was not committed comes again', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 3, [0, 1, 2, 3]);
    const a = new Member(stubbed, { commit: { everyMs: 3_600_000 }, rebalanceTimeoutMs: 1_000 });
    const failed = expect(a.loop()).rejects.toBe(busy);
    await eventually(() => expect(a.read).toHaveLength(12));
    await settle();
    failNext(host, 'commitOffsets', busy, 100);
    const b = await reading(log);
    await failed;
    await eventually(() =>
      expect(b.read.sort()).toEqual(['t/2@0', 't/2@1', 't/2@2', 't/3@0', 't/3@1', 't/3@2']),
    );
    host.answer('commitOffsets', undefined);
  });

  test('of leaveGroup: everything that waits is settled, and batch.signal aborts', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    const a = new Member(stubbed);
    const { value: batch } = await a.consumer.batches().next();
    failNext(host, 'leaveGroup', busy);
    await expect(a.consumer.close()).rejects.toBe(busy);
    expect(batch!.signal.aborted).toBe(true);
    expect(a.owns).toEqual([]);
  });

  test('of leaveGroup, before it was ready: ready rejects', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    const { opened, open } = latch();
    const holder = new Member(log);
    holder.consumer.on('revoked', () => opened);
    await holder.consumer.ready;
    await log.admin.createPartitions([{ topic: 't', partitions: 2 }]);
    await eventually(() => expect(holder.owns).toHaveLength(2));
    const a = new Member(stubbed);
    await eventually(() => expect(holder.events).toContain('revoked t/1'));
    failNext(host, 'leaveGroup', busy);
    await expect(a.consumer.close()).rejects.toBe(busy);
    open();
    const waiting = Promise.race([a.consumer.ready, settle().then(() => 'still waiting')]);
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('a topic that is deleted', () => {
  test('while a member looks where to begin in it: the loop goes on with the others', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t', 'u');
    await fill(log, 3, [0], 'u');
    const gate = host.hold('positionPartitions');
    const a = new Member(stubbed, { topics: ['t', 'u'] });
    let ended: unknown = 'no';
    a.loop().catch((error: unknown) => (ended = error));
    await gate.arrived(1);
    await log.admin.deleteTopics(['t']);
    gate.open();
    await pass(2000, 100);
    expect(ended).toBe('no');
    expect(a.read).toEqual(['u/0@0', 'u/0@1', 'u/0@2']);
  });

  test('before the last of it is committed: the loop goes on with the others, and close resolves', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'u');
    await fill(log, 1, [0], 't');
    const a = new Member(stubbed, { topics: ['t', 'u'] });
    const { opened, open } = latch();
    let ended: unknown = 'no';
    a.loop(() => opened).catch((error: unknown) => (ended = error));
    await eventually(() => expect(a.read).toEqual(['t/0@0']));
    const gate = host.hold('syncGroup'); // so that it does not know yet
    await log.admin.deleteTopics(['t']);
    open();
    await settle();
    await fill(log, 1, [0], 'u');
    await eventually(() => {
      expect(ended).toBe('no');
      expect(a.read).toEqual(['t/0@0', 'u/0@0']);
    });
    gate.open();
    await a.consumer.close();
  });
});
