import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLog } from '../../../src/index.ts';
import type { Consumer, Log } from '../../../src/index.ts';
import { memoryHost, take } from '../../support/log-fixture.ts';
import { StubPage } from '../../support/stub-page.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  openTabs,
  options,
} from '../../support/group-fixture.ts';
import { eventually, pass, settle, stopTime } from '../../support/waiting.ts';

const ENDS: [string, (consumer: Consumer, log: Log, abort: AbortController) => unknown][] = [
  ['close', (consumer) => consumer.close()],
  ['asyncDispose', (consumer) => consumer[Symbol.asyncDispose]()],
  ['its signal', (_consumer, _log, abort) => abort.abort()],
  ['log.close', (_consumer, log) => log.close()],
];

describe.each(ENDS)('%s', (_, end) => {
  test('commits what is processed and leaves, and the others have its partitions', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [0, 1, 2, 3]);
    const abort = new AbortController();
    const a = new Member(mine!, { signal: abort.signal });
    const loop = a.loop();
    await eventually(() => expect(a.read).toHaveLength(12));
    const b = await joined(other!);
    await end(a.consumer, mine!, abort);
    await loop;
    await eventually(() => expect(b.owns).toHaveLength(4));
    expect(await committed(other!)).toEqual({ 't/0': 3, 't/1': 3, 't/2': 3, 't/3': 3 });
    expect((await other!.admin.describeGroups(['g']))[0].members).toHaveLength(1);
    expect(b.events.filter((event) => event.startsWith('lost'))).toEqual([]);
  });

  test('in the body of a loop: what is in hand is not waited for, and comes again', async () => {
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 5);
    const abort = new AbortController();
    const a = new Member(mine!, { signal: abort.signal });
    await a.loop(async ({ offset }) => {
      if (offset < 2) return;
      await end(a.consumer, mine!, abort);
      await settle(); // the signal is not waited for
    });
    expect(a.read).toEqual(['t/0@0', 't/0@1', 't/0@2']);
    const b = await joined(other!);
    expect(await take(b.consumer, 1)).toMatchObject([{ offset: 2 }]);
  });

  test('while it joins leaves no member behind', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    const abort = new AbortController();
    const { consumer } = new Member(stubbed, { signal: abort.signal });
    const gate = host.hold('joinGroup');
    await gate.arrived(1);
    const ended = end(consumer, stubbed, abort);
    gate.open();
    await ended;
    await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
    await settle();
    const groups = await log.admin.listGroups();
    expect(groups.filter(({ members }) => members > 0)).toEqual([]);
  });

  test('before it joins, as it looks whether its topics exist, keeps it from joining', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await settle();
    const gate = host.hold('listTopics');
    await log.admin.createTopics(['u']); // what the tab knows is not current any more
    await gate.arrived(1);
    const abort = new AbortController();
    const { consumer } = new Member(stubbed, { mustExist: true, signal: abort.signal });
    await settle();
    const ended = end(consumer, stubbed, abort);
    gate.open();
    await ended;
    await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
    await settle();
    expect(host.requests('joinGroup')).toEqual([]);
    const groups = await log.admin.listGroups();
    expect(groups.filter(({ members }) => members > 0)).toEqual([]);
  });
});

test('a closed consumer is no member any more: nothing of it asks the broker', async () => {
  await stopTime();
  const { stubbed, host } = await openStubbed('t');
  const { consumer } = await joined(stubbed);
  await consumer.close();
  await pass(1000, 100);
  const calls = host.requests('syncGroup').length;
  await pass(60_000, 1000);
  expect(host.requests('syncGroup')).toHaveLength(calls);
});

describe('what is left behind', () => {
  test('by 200 joins and leaves: no timer and no listener', async () => {
    await stopTime();
    const before = vi.getTimerCount();
    const host = memoryHost();
    const first = await openLog('cycles', { host });
    await first.admin.createTopics([four]);
    const second = await openLog('cycles', { host });
    const { signal } = new AbortController();
    const steady = second.consumer(options);
    await steady.ready;
    for (let i = 0; i < 200; i++) {
      const consumer = first.consumer({ ...options, signal });
      await consumer.ready;
      await consumer.close();
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const [groups] = await second.admin.describeGroups(['g']);
    expect(groups.members).toHaveLength(1);
    await steady.close();
    await Promise.all([first.close(), second.close()]);
    await settle();
    expect(vi.getTimerCount()).toBe(before);
  });

  test('by consumers that are closed at once: the same', async () => {
    await stopTime();
    const before = vi.getTimerCount();
    const log = await openLog('hasty', { host: memoryHost() });
    await log.admin.createTopics([four]);
    await Promise.all(Array.from({ length: 50 }, () => log.consumer(options).close()));
    await settle();
    expect(await log.admin.listGroups()).toEqual([]);
    await log.close();
    await settle();
    expect(vi.getTimerCount()).toBe(before);
  });
});

test('a consumer that is closed before it is a member leaves no listener to the page', async () => {
  const page = new StubPage();
  onTestFinished(() => void vi.unstubAllGlobals());
  const { log, stubbed, host } = await openStubbed('t', 'dead');
  await settle();
  const gate = host.hold('listTopics');
  await log.admin.createTopics(['u']); // what the tab knows is not current any more
  await gate.arrived(1);
  const { consumer } = new Member(stubbed, { placement: 'visible', deadLetterTopic: 'dead' });
  await settle();
  await consumer.close();
  gate.open();
  await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
  expect(getEventListeners(document, 'freeze')).toEqual([]);
  page.freeze();
  await settle();
  expect(host.requests('leaveGroup')).toEqual([]);
});
