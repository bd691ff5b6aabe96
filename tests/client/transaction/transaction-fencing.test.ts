import { describe, expect, test } from 'vitest';
import {
  Member,
  committed,
  fill,
  four,
  joined,
  openStubbed,
  openTabs,
  readOne,
  reading,
} from '../../support/group-fixture.ts';
import type { Message } from '../../../src/index.ts';
import { countOf, take } from '../../support/log-fixture.ts';
import {
  FENCED,
  asRecord,
  chain,
  code,
  copy,
  manual,
  memberInHand,
  readSome,
  say,
  stored,
} from './transaction-fixture.ts';
import { eventually, latch } from '../../support/waiting.ts';
import { expel } from '../../support/stub-broker.ts';

describe('a partition that another member has by now', () => {
  test.each([
    ['and its tab has not heard', false],
    ['and its tab has heard', true],
  ])('fences the transaction, %s: the message comes again elsewhere', async (_, hears) => {
    const { log, stubbed, host, consumer, message } = await memberInHand({ hears });
    const lost = new Promise((resolve) => consumer.on('lost', resolve));
    await expel(host, log);
    if (hears) await lost;
    const producer = stubbed.producer();
    for (let i = 0; i < 3; i++) {
      await expect(copy(producer, consumer, message)).rejects.toMatchObject(FENCED);
    }
    expect(await countOf(log, 'out')).toBe(0);
    const b = new Member(log, manual).consumer;
    await copy(log.producer(), b, await readOne(b));
    expect(await stored(log)).toEqual(['0@0']);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('fences it too where the message was handed out before, and not committed', async () => {
    const [log, other] = await openTabs(2, four, 'out');
    await fill(log!, 1, [0, 1, 2, 3]);
    const { consumer } = await joined(log!, manual);
    const messages = await readSome(consumer, 4);
    const b = await reading(other!, manual); // gets those that are not in hand
    expect(b.owns).toHaveLength(2);
    await expect(copy(log!.producer(), consumer, ...messages)).rejects.toMatchObject(FENCED);
    expect(await countOf(log!, 'out')).toBe(0);
  });

  test.each(['before', 'after'])(
    'fences it where the partition was lost %s the loop was left',
    async (when) => {
      const { log, stubbed, host } = await openStubbed('t', 'out');
      await fill(log, 3);
      const { consumer } = new Member(stubbed, manual);
      const lost = new Promise((resolve) => consumer.on('lost', resolve));
      const messages = consumer[Symbol.asyncIterator]();
      const { value } = await messages.next();
      await eventually(() => expect(host.requests('syncGroup')).not.toEqual([]));
      if (when === 'after') await messages.return!();
      await expel(host, log);
      await lost;
      if (when === 'before') await messages.return!();
      const producer = stubbed.producer();
      await expect(copy(producer, consumer, value as Message)).rejects.toMatchObject(FENCED);
      expect(await countOf(log, 'out')).toBe(0);
    },
  );

  test('is told once, however often it was lost', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed, manual);
    for (let i = 0; i < 3; i++) {
      const lost = new Promise((resolve) => consumer.on('lost', resolve));
      expect(await take(consumer, 1)).toMatchObject([{ offset: 0 }]);
      const asked = host.requests('syncGroup').length;
      await eventually(() => expect(host.requests('syncGroup').length).toBeGreaterThan(asked));
      await expel(host, log);
      await lost;
    }
    const [message] = await take(consumer, 1);
    const producer = stubbed.producer();
    await expect(copy(producer, consumer, message!)).rejects.toMatchObject(FENCED);
    await copy(producer, consumer, message!);
    expect(await stored(log)).toEqual(['0@0']);
  });

  test('is read on by whoever gets it, be it the same member', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed);
    const producer = stubbed.producer();
    const fenced: number[] = [];
    for await (const message of consumer) {
      if (message.offset === 1 && fenced.length === 0) {
        const lost = new Promise((resolve) => consumer.on('lost', resolve));
        await expel(host, log);
        await lost;
      }
      await copy(producer, consumer, message).catch((error: unknown) => {
        expect(error).toMatchObject(FENCED);
        fenced.push(message.offset);
      });
      if (message.offset === 2) break;
    }
    expect(fenced).toEqual([1]);
    expect(await stored(log)).toEqual(['0@0', '0@1', '0@2']);
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('fences it, where the offsets were reset by force', async () => {
    const { log, stubbed, consumer, message } = await memberInHand({ hears: false });
    await log.admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], { force: true });
    await expect(copy(stubbed.producer(), consumer, message)).rejects.toMatchObject(FENCED);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('leaves the producer as it was', async () => {
    const { log, stubbed, host, consumer, message } = await memberInHand({ hears: false });
    const producer = stubbed.producer();
    await say(producer, 'a');
    await expel(host, log);
    await expect(copy(producer, consumer, message)).rejects.toMatchObject(FENCED);
    await say(producer, 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('is given up only when the transaction that has it in hand is stored', async () => {
    const [log, other] = await openTabs(2, 't', 'u', 'out');
    for (const name of ['t', 'u']) await fill(log!, 1, [0], name);
    const topics = { ...manual, topics: ['t', 'u'] };
    const { consumer } = new Member(log!, topics);
    const producer = log!.producer();
    const gate = latch();
    const over = consumer.run({
      eachMessage: async (message) => {
        await producer.transaction(async (tx) => {
          tx.send('out', { value: message.topic });
          tx.commitOffsets(consumer);
          await gate.opened;
        });
      },
    });
    await eventually(async () => expect(await committed(log!)).toEqual({ 't/0': 0, 'u/0': 0 }));
    const b = new Member(other!, topics);
    b.loop().catch(() => {});
    await eventually(async () =>
      expect((await log!.admin.describeGroups(['g']))[0].members).toHaveLength(2),
    );
    gate.open();
    await b.consumer.ready;
    await eventually(async () => expect((await countOf(log!, 'out')) + b.read.length).toBe(2));
    await consumer.close();
    await over;
  });
});

describe('a consumer that closes', () => {
  test.each([
    ['after commitOffsets()', true],
    ['before commitOffsets()', false],
  ])(
    '%s takes the transaction with it, for its message comes again elsewhere',
    async (_, after) => {
      const log = await chain();
      const { consumer } = new Member(log, manual);
      const message = await readOne(consumer);
      const running = log.producer().transaction(async (tx) => {
        tx.send('out', asRecord(message));
        if (after) tx.commitOffsets(consumer);
        await consumer.close();
        if (!after) tx.commitOffsets(consumer);
      });
      await expect(running).rejects.toMatchObject(code(after ? 'FENCED' : 'CLOSED'));
      expect(await countOf(log, 'out')).toBe(0);
      expect((await readOne(new Member(log).consumer)).offset).toBe(0);
    },
  );

  test('stores what its listener does with what it had handed out', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const messages = await readSome(consumer, 2);
    consumer.on('revoked', async () => void (await copy(producer, consumer, ...messages)));
    await consumer.close();
    expect(await stored(log)).toEqual(['0@0', '0@1']);
    expect(await committed(log)).toEqual({ 't/0': 2 });
  });
});
