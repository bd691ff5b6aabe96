import { describe, expect, test } from 'vitest';
import { openLog } from '../../src/index.ts';
import type { Consumer, Log } from '../../src/index.ts';
import { memoryHost, openTab, take } from '../support/log-fixture.ts';
import { committed, fill, four, joined, openTabs, options } from '../support/group-fixture.ts';
import { latch } from '../support/waiting.ts';

const named = { ...options, memberId: 'tab' } as const;

/** What React does to an effect in development: mount, unmount and mount again, in one turn. */
function mountTwice<T>(effect: () => { readonly made: T; readonly unmount: () => void }): T[] {
  const first = effect();
  first.unmount();
  return [first.made, effect().made];
}

async function members(log: Log): Promise<string[]> {
  return (await log.admin.describeGroups(['g']))[0].members.map(({ memberId }) => memberId);
}

describe('a member with a name, mounted twice', () => {
  test('joins, as the second one', async () => {
    const [log] = await openTabs(1, four);
    const [first, second] = mountTwice(() => {
      const consumer = log!.consumer(named);
      return { made: consumer, unmount: () => void consumer.close() };
    });
    await expect(first!.ready).rejects.toMatchObject({ code: 'CLOSED' });
    await second!.ready;
    expect(second!.assignment).toHaveLength(4);
    expect(await members(log!)).toEqual(['tab']);
  });

  test('whose effect ends by a signal: the same', async () => {
    const [log] = await openTabs(1, four);
    const [, second] = mountTwice(() => {
      const abort = new AbortController();
      const consumer = log!.consumer({ ...named, signal: abort.signal });
      return { made: consumer, unmount: () => abort.abort() };
    });
    await second!.ready;
    expect(await members(log!)).toEqual(['tab']);
  });

  test('in a log that each mount opens: the same', async () => {
    const host = memoryHost();
    const watcher = await openTab(host);
    await watcher.admin.createTopics([four]);
    const [, second] = mountTwice(() => {
      const opening = openLog(watcher.name, { host });
      const consumer = opening.then((log) => log.consumer(named));
      return { made: consumer, unmount: () => void opening.then((log) => log.close()) };
    });
    const consumer = await second!;
    await consumer.ready;
    expect(consumer.assignment).toHaveLength(4);
    await consumer.close();
  });
});

describe('a member that takes the name of one that was closed', () => {
  test('waits until that has committed and left', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 5);
    const first = await joined(log!, named);
    const { opened, open } = latch();
    first.consumer.on('revoked', () => opened);
    await take(first.consumer, 3);
    void first.consumer.close();
    const second: Consumer = log!.consumer(named);
    let isReady = false;
    void second.ready.then(() => (isReady = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isReady).toBe(false);
    open();
    await second.ready;
    expect(second.position({ topic: 't', partition: 0 })).toBe(2);
    expect(await committed(log!)).toEqual({ 't/0': 2 });
  });

  test('and is closed before that has left, settles and joins nothing', async () => {
    const [log] = await openTabs(1, 't');
    const first = await joined(log!, named);
    const { opened, open } = latch();
    first.consumer.on('revoked', () => opened);
    const left = first.consumer.close();
    const second = log!.consumer(named);
    await second.close();
    await expect(second.ready).rejects.toMatchObject({ code: 'CLOSED' });
    open();
    await left;
    expect(await members(log!)).toEqual([]);
  });

  test('and is not closed itself, keeps it from a third', async () => {
    const [log] = await openTabs(1, 't');
    void log!.consumer(named).close();
    const second = log!.consumer(named);
    expect(() => log!.consumer(named)).toThrow(
      expect.objectContaining({ code: 'MEMBER_EXISTS' }) as Error,
    );
    await second.ready;
  });
});
