import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { topic } from '../../../src/index.ts';
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

const first = { topic: 't', partition: 0 };

describe('assigned', () => {
  test('is awaited before the first message', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 3);
    const { opened, open } = latch();
    const a = new Member(log!);
    a.consumer.on('assigned', () => opened);
    void a.loop();
    await eventually(() => expect(a.events).toEqual(['assigned t/0']));
    await settle();
    expect(a.read).toEqual([]);
    open();
    await eventually(() => expect(a.read).toEqual(['t/0@0', 't/0@1', 't/0@2']));
  });

  test('has everything in its place: position, and seek works', async () => {
    const [log] = await openTabs(1, four);
    await fill(log!, 5, [0, 1, 2, 3]);
    const a = new Member(log!);
    const positions: number[] = [];
    a.consumer.on('assigned', async ({ partitions }) => {
      for (const where of partitions) {
        positions.push(a.consumer.position(where));
        await a.consumer.seek(4, where);
      }
    });
    await a.consumer.ready;
    expect(positions).toEqual([0, 0, 0, 0]);
    void a.loop();
    await settle();
    expect(a.read.sort()).toEqual(['t/0@4', 't/1@4', 't/2@4', 't/3@4']);
  });

  test('comes before ready', async () => {
    const [log] = await openTabs(1, 't');
    const a = new Member(log!);
    const { opened, open } = latch();
    let ready = false;
    a.consumer.on('assigned', () => opened);
    void a.consumer.ready.then(() => (ready = true));
    await eventually(() => expect(a.events).toHaveLength(1));
    await settle();
    expect(ready).toBe(false);
    open();
    await a.consumer.ready;
  });
});

describe('revoked', () => {
  test('is awaited: the next member has the partitions only then', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await reading(mine!);
    const { opened, open } = latch();
    a.consumer.on('revoked', () => opened);
    const b = new Member(other!);
    await eventually(() => expect(a.events).toContain('revoked t/2 t/3'));
    await settle();
    expect(b.owns).toEqual([]);
    expect((await other!.admin.describeGroups(['g']))[0].state).toBe('reconciling');
    open();
    await b.consumer.ready;
    expect(b.owns).toEqual(['t/2', 't/3']);
  });

  test('is a place to commit: the next member begins there', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 5, [0, 1, 2, 3]);
    const a = await joined(mine!, { commit: 'manual' });
    a.consumer.on('revoked', ({ partitions }) =>
      a.consumer.commit(partitions.map((where) => ({ ...where, offset: 3 }))),
    );
    const b = await joined(other!);
    expect(b.owns).toEqual(['t/2', 't/3']);
    for (const where of b.consumer.assignment) expect(b.consumer.position(where)).toBe(3);
  });

  test('comes when nothing of the partition is in hand, and nothing of it comes after', async () => {
    const [mine, other] = await openTabs(2, topic('t', { partitions: 2 }));
    await fill(mine!, 5, [1]);
    const { opened, open } = latch();
    const a = await reading(mine!, {}, () => opened);
    await eventually(() => expect(a.read).toEqual(['t/1@0']));
    const b = new Member(other!);
    await eventually(async () => {
      expect((await other!.admin.describeGroups(['g']))[0].state).toBe('reconciling');
    });
    await settle();
    expect(a.events).toEqual(['assigned t/0 t/1']);
    open();
    await b.consumer.ready;
    expect(a.events).toEqual(['assigned t/0 t/1', 'revoked t/1']);
    expect(a.read).toEqual(['t/1@0']);
    expect(b.consumer.position({ topic: 't', partition: 1 })).toBe(1);
  });

  test('at close, of everything, and then nothing is lost', async () => {
    const [log] = await openTabs(1, four);
    const a = await joined(log!);
    await a.consumer.close();
    await settle();
    expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3', 'revoked t/0 t/1 t/2 t/3']);
    expect(a.owns).toEqual([]);
  });

  test('at close, is a place to commit', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 5);
    const a = await joined(log!, { commit: 'manual' });
    await take(a.consumer, 4);
    const onRevoked = vi.fn<() => Promise<void>>(() =>
      a.consumer.commit([{ ...first, offset: 4 }]),
    );
    a.consumer.on('revoked', onRevoked);
    await a.consumer.close().catch(() => {});
    expect(onRevoked).toHaveBeenCalledOnce();
    expect(await committed(log!)).toEqual({ 't/0': 4 });
  });

  test('comes once for each, also where close comes meanwhile', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await joined(mine!);
    const { opened, open } = latch();
    a.consumer.on('revoked', () => opened);
    await Promise.all([
      new Member(other!).consumer.ready,
      eventually(() => expect(a.events).toContain('revoked t/2 t/3')).then(() => {
        const closed = a.consumer.close();
        open();
        return closed;
      }),
    ]);
    const revoked = a.events.filter((event) => event.startsWith('revoked')).join(' ');
    expect(revoked.match(/t\/\d/g)!.sort()).toEqual(['t/0', 't/1', 't/2', 't/3']);
  });
});

describe('lost', () => {
  test('comes when a topic is deleted, and the consumer goes on with the others', async () => {
    const [mine, other] = await openTabs(2, 't', 'u');
    const a = await reading(mine!, { topics: ['t', 'u'] });
    await other!.admin.deleteTopics(['t']);
    await eventually(() => expect(a.events).toContain('lost t/0'));
    expect(a.owns).toEqual(['u/0']);
    await fill(other!, 1, [0], 'u');
    await eventually(() => expect(a.read).toEqual(['u/0@0']));
  });
});

describe('what a listener throws', () => {
  const broken = new Error('my listener is broken');

  let reported: unknown[];

  beforeEach(() => {
    reported = [];
    vi.stubGlobal('reportError', (error: unknown) => reported.push(error));
    onTestFinished(() => void vi.unstubAllGlobals()); // after the log has closed, which tells the listener
  });

  test('is reported, and ends neither the loop that reads nor the rebalance', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = new Member(mine!);
    void a.loop();
    await a.consumer.ready;
    a.consumer.on('revoked', () => Promise.reject(broken));
    const b = await joined(other!);
    expect(b.owns).toHaveLength(2);
    expect(reported).toEqual([broken]);
    await fill(mine!, 1, [0, 1]);
    await eventually(() => expect(a.read.toSorted()).toEqual(['t/0@0', 't/1@0']));
  });

  test('before there is a loop: the next one reads', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 1);
    const a = new Member(log!);
    a.consumer.on('assigned', () => {
      throw broken;
    });
    await a.consumer.ready;
    expect(await take(a.consumer, 1)).toHaveLength(1);
    expect(reported).toEqual([broken]);
  });

  test('is told on the console where errors cannot be reported', async () => {
    vi.stubGlobal('reportError', undefined);
    const told = vi.spyOn(console, 'error').mockImplementation(() => {});
    const [log] = await openTabs(1, 't');
    const { consumer } = new Member(log!);
    consumer.on('assigned', () => Promise.reject(broken));
    await consumer.ready;
    expect(told.mock.calls).toEqual([[expect.any(String), broken]]);
    told.mockRestore();
  });

  test('does not keep the other listeners from being called', async () => {
    const [log] = await openTabs(1, 't');
    const { consumer } = new Member(log!);
    const heard = vi.fn<() => void>();
    consumer.on('assigned', () => {
      throw broken;
    });
    consumer.on('assigned', heard);
    await consumer.ready;
    expect(heard).toHaveBeenCalledOnce();
  });
});

test('on() returns how to stop', async () => {
  const [mine, other] = await openTabs(2, four);
  const a = await joined(mine!);
  const heard = vi.fn<() => void>();
  const stop = a.consumer.on('revoked', heard);
  const b = await joined(other!);
  await b.consumer.close();
  await eventually(() => expect(a.owns).toHaveLength(4));
  expect(heard).toHaveBeenCalledOnce();
  stop();
  stop();
  await joined(other!);
  expect(a.owns).toHaveLength(2);
  expect(heard).toHaveBeenCalledOnce();
});
