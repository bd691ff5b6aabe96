import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { INTERNAL, LOG_CORRUPT } from '../../../src/base/error-rules.ts';
import { TablogError, string, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import {
  committed,
  fill,
  joined,
  Member,
  openStubbed,
  openTabs,
  reading,
} from '../../support/group-fixture.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { expel } from '../../support/stub-broker.ts';
import { pass, stopTime } from '../../support/waiting.ts';

const t = topic('t', { value: string(), partitions: 2 });

/** Lets the second partition's first record be one that no `string()` decodes. */
async function spoil(log: Log): Promise<void> {
  const undecodable = new Uint8Array([0xff, 0xfe]);
  await log.producer().send('t', { value: undecodable, partition: 1 });
}

/** A member whose loops throw at once, for the record that cannot be decoded. */
const options = { topics: [t], sessionTimeoutMs: 3_600_000, maxPollIntervalMs: 10_000 } as const;

let tabs: readonly Log[];
beforeEach(async () => {
  tabs = await openTabs(2, t);
  await spoil(tabs[0]!);
  await stopTime();
});

async function failing(log: Log): Promise<Member> {
  const member = new Member(log, options);
  const loop = member.loop();
  loop.catch(() => {});
  await pass(100);
  await expect(loop).rejects.toMatchObject({ code: 'SERDE' });
  return member;
}

/** A second member, which passes over what it cannot decode. */
function helper(log: Log): Promise<Member> {
  return reading(log, { ...options, onDecodeError: 'skip' });
}

describe('a member whose loop ended with an error', () => {
  test('leaves after maxPollIntervalMs, and the others read on', async () => {
    const a = await failing(tabs[0]!);
    const waiting = new Member(tabs[1]!, { ...options, onDecodeError: 'skip' });
    waiting.loop().catch(() => {});
    await pass(9_000, 100);
    expect([a.owns.length, waiting.owns.length]).toEqual([1, 1]);
    await pass(2_000, 100);
    expect([a.owns, waiting.owns]).toEqual([[], ['t/0', 't/1']]);
    expect(a.events.at(-1)).toMatch(/^lost t\/./);
    await fill(tabs[1]!, 1, [0, 1]);
    await pass(100);
    expect(waiting.read.toSorted()).toEqual(['t/0@0', 't/1@1']);
    const [{ members }] = await tabs[0]!.admin.describeGroups(['g']);
    expect(members.map(({ memberId }) => memberId)).toEqual([waiting.consumer.memberId]);
  });

  test('commits what it had processed as it leaves', async () => {
    await fill(tabs[0]!, 3, [0]);
    const a = await joined(tabs[0]!, { ...options, commit: { everyMs: 3_600_000 } });
    a.consumer.pause({ topic: t, partition: 1 });
    const loop = a.loop();
    loop.catch(() => {});
    await pass(100);
    a.consumer.resume();
    await pass(100);
    await expect(loop).rejects.toMatchObject({ code: 'SERDE' });
    expect(await committed(tabs[0]!)).toMatchObject({ 't/0': 0 });
    await pass(11_000, 100);
    expect(await committed(tabs[0]!)).toMatchObject({ 't/0': 3 });
  });

  test('joins again with the next loop, and goes on where the group is', async () => {
    const a = await failing(tabs[0]!);
    await pass(11_000, 100);
    expect(a.owns).toEqual([]);
    const b = await helper(tabs[1]!);
    expect(b.owns).toEqual(['t/0', 't/1']);
    await pass(100);
    const again = a.loop();
    again.catch(() => {});
    await pass(1_000, 20);
    expect([a.owns.length, b.owns.length]).toEqual([1, 1]);
    await fill(tabs[1]!, 1, [0, 1]);
    await pass(100);
    expect([...a.read, ...b.read].toSorted()).toEqual(['t/0@0', 't/1@1']);
    expect(a.read).toHaveLength(1);
    await a.consumer.close();
    await again;
  });

  test('stays where another loop begins in time, however that one fares', async () => {
    const a = await failing(tabs[0]!);
    for (let times = 0; times < 3; times++) {
      await pass(9_000, 100);
      await expect(a.loop()).rejects.toMatchObject({ code: 'SERDE' });
    }
    expect(a.events).toEqual(['assigned t/0 t/1']);
  });

  test('stays for as long as a loop waits that was entered since', async () => {
    const a = await failing(tabs[0]!);
    await a.consumer.seek(1, { topic: t, partition: 1 });
    const loop = a.loop();
    await pass(30_000, 500);
    expect(a.events).toEqual(['assigned t/0 t/1']);
    await a.consumer.close();
    await loop;
  });

  test.each(['batches', 'run'] as const)('by %s leaves, too', async (how) => {
    const a = await joined(tabs[0]!, options);
    const loop =
      how === 'run' ? a.consumer.run({ eachMessage: () => {} }) : a.consumer.batches().next();
    loop.catch(() => {});
    await pass(100);
    await expect(loop).rejects.toMatchObject({ code: 'SERDE' });
    await pass(11_000, 100);
    expect(a.owns).toEqual([]);
  });

  test('leaves no timer when it closes', async () => {
    const a = await failing(tabs[0]!);
    await a.consumer.close();
    await pass(20_000, 500);
    expect(a.events).toEqual(['assigned t/0 t/1', 'revoked t/0 t/1']);
  });
});

describe('a member keeps its partitions', () => {
  test('where a loop was left by break', async () => {
    const a = await joined(tabs[0]!, { ...options, onDecodeError: 'skip' });
    await fill(tabs[0]!, 1, [0]);
    for await (const message of a.consumer) if (message.offset >= 0) break;
    await pass(30_000, 500);
    expect(a.events).toEqual(['assigned t/0 t/1']);
  });

  test('where nothing reads it yet', async () => {
    const a = await joined(tabs[0]!, options);
    await pass(30_000, 500);
    expect(a.events).toEqual(['assigned t/0 t/1']);
  });
});

test('an error that ends the consumer for good gives its partitions to the others at once', async () => {
  const { log, stubbed, host } = await openStubbed(t);
  const a = new Member(stubbed, options);
  const loop = a.loop();
  loop.catch(() => {});
  const b = await helper(log);
  await pass(500, 20);
  expect([a.owns.length, b.owns.length]).toEqual([1, 1]);
  const bug = new TablogError(INTERNAL, 'a bug');
  host.answer('syncGroup', () => Promise.reject(bug));
  await log.admin.createPartitions([{ topic: 't', partitions: 3 }]); // so that it syncs
  await pass(500, 20);
  await expect(loop).rejects.toBe(bug);
  expect([a.owns.length, b.owns.length]).toEqual([0, 3]); // the session lasts an hour
  await expect(a.loop()).rejects.toBe(bug);
});

test.each([true, false])(
  'batches({ raw: %s }) that ended with an error count alike',
  async (raw) => {
    const { log, stubbed, host } = await openStubbed(t);
    await fill(log, 3, [0, 1]);
    const error = toErrorData(new TablogError(LOG_CORRUPT, 'test'));
    host.answer('fetch', async ({ partitions }) =>
      partitions.map(({ topicId, partition, offset }) => ({ topicId, partition, offset, error })),
    );
    const a = await joined(stubbed, options);
    const batches = raw ? a.consumer.batches({ raw }) : a.consumer.batches();
    const next = batches.next();
    next.catch(() => {});
    await pass(200);
    await expect(next).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
    expect(a.owns).toHaveLength(2);
    await pass(11_000, 100);
    expect(a.owns).toEqual([]);
  },
);

test('maxPollIntervalMs that passes during a join has the member leave after it', async () => {
  const { log, stubbed, host } = await openStubbed(t);
  await spoil(log);
  const a = await failing(stubbed);
  const gate = host.hold('joinGroup');
  await expel(host, stubbed);
  await pass(11_000, 100);
  gate.open();
  await pass(200);
  const b = await helper(log);
  await pass(5_000, 100);
  expect([a.owns, b.owns]).toEqual([[], ['t/0', 't/1']]);
});

test('a member that joins again and again leaves no listener behind', async () => {
  const { stubbed, host } = await openStubbed(t);
  const added = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  onTestFinished(() => added.mockRestore());
  const a = await joined(stubbed, options);
  for (let i = 0; i < 20; i++) {
    await expel(host, stubbed);
    await pass(3000, 100);
  }
  expect(a.owns).toHaveLength(2);
  const counts = [...new Set(added.mock.contexts as AbortSignal[])].map(
    (signal) => getEventListeners(signal, 'abort').length,
  );
  expect(Math.max(...counts)).toBeLessThan(10);
});
