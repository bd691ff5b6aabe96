import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { STORAGE_FULL } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/index.ts';
import type { Log, Message } from '../../../src/index.ts';
import { loadParts } from '../../support/load-parts.ts';
import { memoryHost, openTab, take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  openTabs,
  readOne,
} from '../../support/group-fixture.ts';
import { StubPage } from '../../support/stub-page.ts';
import { eventually, latch, pass, settle, stopTime } from '../../support/waiting.ts';

const first = { topic: 't', partition: 0 };

/** A log with 10 records in one partition. */
async function logOfTen(): Promise<Log> {
  const [log] = await openTabs(1, 't');
  await fill(log!, 10);
  return log!;
}

describe("commit: 'processed'", () => {
  test('commits a message when the next one is asked for', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log);
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    await settle();
    expect(await committed(log)).toEqual({ 't/0': 0 });
    await messages.next();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 1 }));
    await messages.next();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 2 }));
  });

  test('commits a batch when the next one is asked for', async () => {
    const log = await logOfTen();
    const batches = new Member(log).consumer.batches({ max: 4 });
    await batches.next();
    await settle();
    expect(await committed(log)).toEqual({ 't/0': 0 });
    await batches.next();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 4 }));
  });

  test('commits everything of a loop that is caught up, without an end of it', async () => {
    const log = await logOfTen();
    void new Member(log).loop();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 10 }));
  });

  test.each(['break', 'throw'])(
    'does not commit what is in hand at %s: it comes again',
    async (how) => {
      const log = await logOfTen();
      const a = new Member(log);
      const loop = async (): Promise<void> => {
        for await (const { offset } of a.consumer) {
          if (offset < 3) continue;
          if (how === 'break') break;
          throw new Error('mine');
        }
      };
      await loop().catch(() => {});
      expect(a.consumer.position(first)).toBe(3);
      expect(await take(a.consumer, 1)).toMatchObject([{ offset: 3 }]);
      await a.consumer.close();
      expect(await committed(log)).toEqual({ 't/0': 3 });
      expect(await take((await joined(log)).consumer, 1)).toMatchObject([{ offset: 3 }]);
    },
  );

  test('a batch that is in hand at break comes again', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log);
    for await (const batch of consumer.batches({ max: 4 })) if (batch.firstOffset === 4) break;
    await consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 4 });
  });

  test('a message that was committed by its commit() does not come again after break', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log);
    for await (const message of consumer) {
      if (message.offset < 3) continue;
      await message.commit();
      break;
    }
    expect(consumer.position(first)).toBe(4);
    expect(await committed(log)).toEqual({ 't/0': 4 });
    expect(await take(consumer, 1)).toMatchObject([{ offset: 4 }]);
  });

  test('of a batch, what was committed does not come again after break', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log);
    for await (const { messages } of consumer.batches()) {
      await messages[5]!.commit();
      break;
    }
    expect(await committed(log)).toEqual({ 't/0': 6 });
    expect(await take(consumer, 1)).toMatchObject([{ offset: 6 }]);
  });

  test('no commit goes back, though part of a batch was committed before break', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 10);
    const { consumer } = new Member(stubbed);
    for await (const { messages } of consumer.batches()) {
      await messages[5]!.commit();
      break;
    }
    await take(consumer, 3);
    await consumer.close();
    const offsets = host.requests('commitOffsets').flatMap((request) => request.offsets);
    expect(offsets.map(({ offset }) => offset)).toEqual([
      ...new Set(offsets.map(({ offset }) => offset).sort((a, b) => a - b)),
    ]);
  });

  test('a tab that dies commits nothing of what it had in hand', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    expect(await readOne(new Member(stubbed).consumer)).toMatchObject({ offset: 0 });
    host.hold('syncGroup');
    host.hold('commitOffsets');
    const b = await joined(log);
    void b.loop();
    await pass(20_000, 500);
    expect(b.read).toEqual(['t/0@0', 't/0@1', 't/0@2']);
  });

  test('commits one at a time, and what comes meanwhile together', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 500);
    const a = new Member(stubbed);
    const gate = host.hold('commitOffsets');
    void a.loop();
    await gate.arrived(1);
    await eventually(() => expect(a.read).toHaveLength(500));
    expect(host.requests('commitOffsets')).toHaveLength(1);
    gate.open();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 500 }));
    expect(host.requests('commitOffsets')).toHaveLength(2);
  });
});

describe("commit: 'manual'", () => {
  const manual = { commit: 'manual' } as const;

  test('commits nothing by itself', async () => {
    const log = await logOfTen();
    const a = new Member(log, manual);
    await take(a.consumer, 10);
    await a.consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('message.commit() commits it and every one before it', async () => {
    const log = await logOfTen();
    const messages = await take(new Member(log, manual).consumer, 10);
    await messages[6]!.commit();
    expect(await committed(log)).toEqual({ 't/0': 7 });
  });

  test('message.commit() never goes back: after, beside, or while another is under way', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 10);
    const messages = await take(new Member(stubbed, manual).consumer, 10);
    await messages[3]!.commit();
    await messages[1]!.commit();
    expect(await committed(log)).toEqual({ 't/0': 4 });
    await Promise.all([5, 6, 4].map((i) => messages[i]!.commit()));
    expect(await committed(log)).toEqual({ 't/0': 7 });
    const gate = host.hold('commitOffsets');
    const ninth = messages[8]!.commit();
    await gate.arrived(1);
    const eighth = messages[7]!.commit();
    gate.open();
    await Promise.all([ninth, eighth]);
    expect(await committed(log)).toEqual({ 't/0': 9 });
  });

  test('batch.commit() commits its last offset + 1', async () => {
    const log = await logOfTen();
    for await (const batch of new Member(log, manual).consumer.batches({ max: 4 })) {
      await batch.commit();
      expect(await committed(log)).toEqual({ 't/0': batch.lastOffset + 1 });
      if (batch.lastOffset === 9) break;
    }
  });

  test('consumer.commit() commits what it is told, with metadata, and back too', async () => {
    const [log] = await openTabs(1, four);
    await fill(log!, 10, [0, 1, 2, 3]);
    const { consumer } = await joined(log!, manual);
    await consumer.commit([
      { topic: four, partition: 0, offset: 7, metadata: 'seven' },
      { topic: 't', partition: 3, offset: 10 },
    ]);
    expect(await log!.admin.listGroupOffsets('g')).toMatchObject([
      { ...first, offset: 7, metadata: 'seven' },
      { topic: 't', partition: 1, offset: 0, metadata: '' },
      { topic: 't', partition: 2, offset: 0, metadata: '' },
      { topic: 't', partition: 3, offset: 10, metadata: '' },
    ]);
    await consumer.commit([{ ...first, offset: 2 }]);
    expect(await committed(log!)).toMatchObject({ 't/0': 2 });
    await consumer.commit([]);
  });

  test('committedAt is when it was stored', async () => {
    const log = await logOfTen();
    const { consumer } = await joined(log, manual);
    const before = Date.now();
    await consumer.commit([{ ...first, offset: 1 }]);
    const [{ committedAt } = { committedAt: 0 }] = await log.admin.listGroupOffsets('g');
    expect(committedAt).toBeGreaterThanOrEqual(before);
    expect(committedAt).toBeLessThanOrEqual(Date.now());
  });
});

describe('commit: { everyMs }', () => {
  test('commits what is processed, that often', async () => {
    await stopTime();
    const log = await logOfTen();
    const { consumer } = new Member(log, { commit: { everyMs: 1000 } });
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) await messages.next();
    await pass(900, 100);
    expect(await committed(log)).toEqual({ 't/0': 0 });
    await pass(200, 100);
    expect(await committed(log)).toEqual({ 't/0': 3 });
    await messages.next();
    await pass(900, 100);
    expect(await committed(log)).toEqual({ 't/0': 3 });
    await pass(200, 100);
    expect(await committed(log)).toEqual({ 't/0': 4 });
  });

  test('and at close, without waiting for it', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log, { commit: { everyMs: 3_600_000 } });
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) await messages.next();
    await consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('and when the partition moves', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 4, [0, 1, 2, 3]);
    const a = new Member(mine!, { commit: { everyMs: 3_600_000 } });
    void a.loop();
    await eventually(() => expect(a.read).toHaveLength(16));
    const b = await joined(other!);
    for (const where of b.consumer.assignment) expect(b.consumer.position(where)).toBe(4);
  });
});

describe('a commit is refused', () => {
  test('of a partition that another member has: NOT_ASSIGNED', async () => {
    const [mine, other] = await openTabs(2, four);
    await joined(mine!);
    const b = await joined(other!);
    const where = { topic: 't', partition: 0 };
    expect(b.owns).not.toContain('t/0');
    const notAssigned = { code: 'NOT_ASSIGNED', details: where };
    await expect(b.consumer.commit([{ ...where, offset: 0 }])).rejects.toMatchObject(notAssigned);
    expect(() => b.consumer.position(where)).toThrow(expect.objectContaining(notAssigned));
    await expect(b.consumer.seek(0, where)).rejects.toMatchObject(notAssigned);
    expect(() => b.consumer.pause(where)).toThrow(expect.objectContaining(notAssigned));
  });

  test('beyond the end: OFFSET_OUT_OF_RANGE, and nothing is changed', async () => {
    const log = await logOfTen();
    const { consumer } = await joined(log, { commit: 'manual' });
    await consumer.commit([{ ...first, offset: 10 }]);
    await expect(consumer.commit([{ ...first, offset: 11 }])).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 0, offset: 11, endOffset: 10 },
    });
    expect(await committed(log)).toEqual({ 't/0': 10 });
  });

  test('and another one, which comes at the same time, is not', async () => {
    const [log] = await openTabs(1, four);
    await fill(log!, 3, [0]);
    const { consumer } = new Member(log!, { commit: 'manual' });
    const message = await readOne(consumer);
    const [refused, accepted] = await Promise.allSettled([
      consumer.commit([{ topic: 't', partition: 1, offset: 99 }]),
      message.commit(),
    ]);
    expect(refused).toMatchObject({ reason: { code: 'OFFSET_OUT_OF_RANGE' } });
    expect(accepted).toMatchObject({ status: 'fulfilled' });
    expect(await committed(log!)).toMatchObject({ 't/0': 1 });
  });

  test('after close: CLOSED', async () => {
    const log = await logOfTen();
    const { consumer } = new Member(log, { commit: 'manual' });
    const { value: batch } = await consumer.batches().next();
    await consumer.close();
    const closed = { code: 'CLOSED' };
    await expect(consumer.commit([{ ...first, offset: 1 }])).rejects.toMatchObject(closed);
    await expect(batch!.messages[0]!.commit()).rejects.toMatchObject(closed);
    await expect(batch!.commit()).rejects.toMatchObject(closed);
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('a misspelt field: a TypeError, and nothing is committed', async () => {
    const log = await logOfTen();
    const { consumer } = await joined(log, { commit: 'manual' });
    const misspelt = { ...first, offset: 3, metaData: 'x' };
    await expect(consumer.commit([{ ...first, offset: 2 }, misspelt])).rejects.toThrow(
      new TypeError(
        'commit() has no option "metaData": did you mean metadata? ' +
          'It takes topic, partition, offset, metadata',
      ),
    );
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('without a group: a TypeError', async () => {
    const log = await logOfTen();
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    const [message] = await take(consumer, 1);
    await expect(message!.commit()).rejects.toThrow(TypeError);
    await expect(consumer.commit([{ ...first, offset: 1 }])).rejects.toThrow(TypeError);
  });
});

describe('commits survive', () => {
  test('the close of all tabs', async () => {
    const host = memoryHost();
    const log = await openTab(host);
    await log.admin.createTopics(['t']);
    await fill(log, 10);
    await take(new Member(log).consumer, 5);
    await log.close();
    const again = await openTab(host, log.name);
    expect(await committed(again)).toEqual({ 't/0': 4 });
    expect((await take(new Member(again).consumer, 1))[0]).toMatchObject({ offset: 4 });
  });

  test('log.close(), which commits and leaves at once', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 4, [0, 1, 2, 3]);
    const a = new Member(mine!);
    void a.loop();
    const b = await joined(other!, { commit: 'manual' });
    await eventually(() => expect(a.read.length).toBeGreaterThanOrEqual(8));
    await mine!.close();
    await eventually(() => expect(b.owns).toHaveLength(4));
    for (const where of b.consumer.assignment) {
      const read = a.read.filter((at) => at.startsWith(`t/${where.partition}@`)).length;
      expect(b.consumer.position(where)).toBe(read);
    }
  });

  test('or close() says so: a commit that was under way then failed', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    const { consumer } = new Member(stubbed);
    const { opened, open } = latch();
    const full = new TablogError(STORAGE_FULL, 'the disk is full');
    host.answer('commitOffsets', () => opened.then(() => Promise.reject(full)));
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    await messages.next();
    const failed = expect(consumer.close()).rejects.toBe(full);
    open();
    await failed;
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });
});

test('messages of a loop that ended can still be committed while the partition is held', async () => {
  const log = await logOfTen();
  const a = await joined(log, { commit: 'manual' });
  const kept: Message[] = [];
  for await (const message of a.consumer) if (kept.push(message) === 3) break;
  await kept[2]!.commit();
  expect(await committed(log)).toEqual({ 't/0': 3 });
});

describe('a commit of the application in flight as the page may be in its last turn', () => {
  beforeEach(() => loadParts());
  afterEach(() => void vi.unstubAllGlobals());

  const metadata = 'mine';
  const cases = (['hide', 'freeze'] as const).flatMap((event) => [
    [event, 'queued'] as const,
    [event, 'stored'] as const,
  ]);

  test.each(cases)(
    '%s: is not taken back, nor its metadata, where it is %s',
    async (event, how) => {
      const page = new StubPage();
      const { log, stubbed, host } = await openStubbed('t');
      await fill(log, 10);
      const { consumer } = new Member(stubbed, { commit: { everyMs: 3_600_000 } });
      const messages = consumer[Symbol.asyncIterator]();
      for (let i = 0; i < 5; i++) await messages.next(); // 0 to 3 are processed, 4 is in hand
      const answer = latch();
      let asked = 0;
      host.answer('commitOffsets', async (request, real) => {
        const stored = how === 'stored' ? real(request) : undefined;
        await stored;
        asked++;
        await answer.opened;
        return stored ?? real(request);
      });
      const committing = consumer
        .commit([{ ...first, offset: 5, metadata }])
        .catch((error: unknown) => (error as TablogError).code);
      await eventually(() => asked === 1);
      page[event]();
      await settle();
      answer.open();
      // A commit that arrives after the leaving is FENCED: the leaving has committed the same offset.
      const isLate = event === 'freeze' && how === 'queued';
      expect(await committing).toBe(isLate ? 'FENCED' : undefined);
      await settle();
      expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 5, metadata }]);
    },
  );
});
