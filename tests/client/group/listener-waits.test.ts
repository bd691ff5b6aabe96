import { describe, expect, test } from 'vitest';
import type { Consumer, ConsumerEvents, Log } from '../../../src/index.ts';
import { take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openTabs,
  options,
} from '../../support/group-fixture.ts';
import { eventually, latch, pass, settle, stopTime } from '../../support/waiting.ts';

interface Scene {
  /** The tab of the consumer, and another one. */
  readonly mine: Log;
  readonly other: Log;
  readonly consumer: Consumer;
}

type Awaited = (scene: Scene) => Promise<unknown>;

/** What a listener may wait for; each settles, whichever way. */
const CALLS: [string, Awaited][] = [
  ['consumer.close()', ({ consumer }) => consumer.close()],
  ['consumer[Symbol.asyncDispose]()', ({ consumer }) => consumer[Symbol.asyncDispose]()],
  ['log.close()', ({ mine }) => mine.close()],
  ['consumer.ready', ({ consumer }) => consumer.ready],
  ['consumer.seek()', ({ consumer }) => consumer.seek('earliest')],
  [
    'consumer.commit()',
    ({ consumer }) =>
      consumer.commit(consumer.assignment.map((where) => ({ ...where, offset: 1 }))),
  ],
  ['admin.deleteGroups()', ({ mine }) => mine.admin.deleteGroups(['g'])],
  ['admin.describeGroups()', ({ mine }) => mine.admin.describeGroups(['g'])],
  [
    'a transaction',
    ({ mine, consumer }) =>
      mine.producer().transaction((tx) => {
        tx.send('u', { value: 'v' });
        tx.commitOffsets(consumer);
      }),
  ],
];

/** When it waits. */
const MOMENTS: [string, (wait: () => Promise<unknown>) => Promise<unknown>][] = [
  ['at once', (wait) => wait()],
  ['after something else', (wait) => settle().then(wait)],
];

/** Brings the event about. */
const EVENTS: [keyof ConsumerEvents, (scene: Scene) => Promise<unknown>][] = [
  ['assigned', async () => {}],
  ['revoked', async ({ other }) => new Member(other)],
  ['lost', ({ other }) => other.admin.deleteTopics(['t'])],
  [
    'reset',
    async ({ other, consumer }) => {
      await other.admin.deleteRecords([{ topic: 't', partition: 0, before: 4 }]);
      await pass(100, 10); // until the reader's broker has heard of it
      void take(consumer, 20);
    },
  ],
];

describe.each(EVENTS)("a listener of '%s'", (event, bringAbout) => {
  describe.each(MOMENTS)('that waits %s', (_, moment) => {
    test.each(CALLS)('for %s goes on, and all is closed after it', async (_, wait) => {
      await stopTime();
      const [mine, other] = (await openTabs(2, four, 'u')) as [Log, Log];
      await fill(mine, 5, [0, 1, 2, 3]);
      const given = { ...options, commit: 'manual' } as const;
      const consumer: Consumer = mine.consumer(given);
      const scene = { mine, other, consumer };
      let isDone = false;
      consumer.on(event, async () => {
        if (isDone) return;
        await moment(() => wait(scene)).catch(() => {});
        isDone = true;
      });
      const ready = consumer.ready.catch(() => {});
      if (event !== 'assigned') await ready;
      const brought = bringAbout(scene);
      await pass(3000, 100);
      expect(isDone).toBe(true);
      await brought;
      const closed = Promise.all([consumer.close(), mine.close()]).then(() => 'closed');
      await pass(3000, 100);
      expect(await Promise.race([closed, settle().then(() => 'hangs')])).toBe('closed');
      await expect(consumer.commit([])).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });
});

test('`ready` that was asked for before can be awaited in a listener', async () => {
  await stopTime();
  const [log] = await openTabs(1, four);
  const consumer = log!.consumer(options);
  const { ready } = consumer;
  let isDone = false;
  consumer.on('assigned', async () => {
    await ready;
    isDone = true;
  });
  await pass(2000, 100);
  expect(isDone).toBe(true);
});

describe('close()', () => {
  test("at once in 'revoked' takes no time", async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    const a = await joined(mine!);
    let isDone = false;
    a.consumer.on('revoked', async () => {
      await a.consumer.close();
      isDone = true;
    });
    await a.consumer.close();
    expect(isDone).toBe(true);
    const b = await joined(other!);
    expect(b.owns).toHaveLength(4);
  });

  test("by somebody else lets a 'revoked' listener commit, however long that takes", async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 5);
    const a = await joined(mine!, { commit: 'manual' });
    const { opened, open } = latch();
    a.consumer.on('revoked', async () => {
      await opened;
      await a.consumer.commit([{ topic: 't', partition: 0, offset: 3 }]);
    });
    let isClosed = false;
    const closed = a.consumer.close().then(() => (isClosed = true));
    await pass(30_000, 1000);
    expect(isClosed).toBe(false);
    open();
    await closed;
    expect(await committed(other!)).toEqual({ 't/0': 3 });
  });

  test('does not wait for a listener that never ends for longer than rebalanceTimeoutMs', async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    const a = await joined(mine!, { rebalanceTimeoutMs: 5000 });
    a.consumer.on('revoked', () => new Promise(() => {}));
    let isClosed = false;
    void mine!.close().then(() => (isClosed = true));
    await pass(4900, 100);
    expect(isClosed).toBe(false);
    await pass(200, 100);
    expect(isClosed).toBe(true);
    const b = await joined(other!);
    expect(b.owns).toHaveLength(4);
  });

  test('of a log, while a listener waits for it, closes the log when the listener is done', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await joined(mine!);
    const b = new Member(mine!, { group: 'h' });
    await b.consumer.ready;
    for (const { consumer } of [a, b]) consumer.on('revoked', () => mine!.close());
    await mine!.close();
    await eventually(async () => {
      await expect(mine!.admin.listTopics()).rejects.toMatchObject({ code: 'CLOSED' });
      expect((await other!.admin.describeGroups(['g']))[0].members).toEqual([]);
      expect((await other!.admin.describeGroups(['h']))[0].members).toEqual([]);
    });
  });
});

test.each(['assigned', 'revoked'] as const)(
  "a listener of '%s' that never ends keeps a partition for rebalanceTimeoutMs",
  async (event) => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    const a = new Member(mine!, { rebalanceTimeoutMs: 5000 });
    a.consumer.on(event, () => new Promise(() => {}));
    await pass(1100, 100);
    const b = new Member(other!);
    await pass(4000, 100);
    expect(b.owns).toEqual([]);
    await pass(2000, 100);
    expect(b.owns.length).toBeGreaterThanOrEqual(2);
    const closed = mine!.close();
    await pass(6000, 100);
    await closed;
  },
);

describe('in a loop', () => {
  test.each(CALLS)('%s settles', async (_, wait) => {
    const [mine, other] = (await openTabs(2, four, 'u')) as [Log, Log];
    await fill(mine, 5, [0]);
    const consumer: Consumer = mine.consumer(options);
    for await (const _ of consumer) {
      await wait({ mine, other, consumer }).catch(() => {});
      break;
    }
    await mine.close();
  });

  test.each(CALLS)('%s settles in a handler', async (_, wait) => {
    const [mine, other] = (await openTabs(2, four, 'u')) as [Log, Log];
    await fill(mine, 1, [0]);
    const consumer: Consumer = mine.consumer(options);
    const { opened, open } = latch();
    const eachMessage = (): Promise<void> =>
      wait({ mine, other, consumer }).then(
        () => open(),
        () => open(),
      );
    const run = consumer.run({ eachMessage });
    await opened;
    await consumer.close();
    await run;
  });
});
