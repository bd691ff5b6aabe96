import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { CommitMode, Consumer, Log, Message } from '../../../src/index.ts';
import {
  Member,
  committed,
  fill,
  four,
  joined,
  openStubbed,
  readOne,
  storeHost,
} from '../../support/group-fixture.ts';
import { AN_HOUR_MS, countOf, logWith, openTab, readAll } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import {
  asRecord,
  chain,
  code,
  copy,
  manual,
  open,
  readSome,
  stored,
} from './transaction-fixture.ts';
import { eventually, latch, settle } from '../../support/waiting.ts';

const unavailable = new TablogError(STORAGE_UNAVAILABLE, 'so says the test');

/** A page, until the test ends. */
function freezablePage(): EventTarget {
  const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', () => {});
  onTestFinished(() => void vi.unstubAllGlobals());
  return page;
}

/** Members of the groups 'a' and 'b', each with the first message of its topic in hand. */
async function twoGroups(log: Log): Promise<{ consumers: Consumer[]; messages: Message[] }> {
  await log.admin.createTopics(['t', 'u', 'out']);
  const consumers: Consumer[] = [];
  const messages: Message[] = [];
  for (const [group, from] of [
    ['a', 't'],
    ['b', 'u'],
  ] as const) {
    await fill(log, 2, [0], from);
    const { consumer } = new Member(log, { ...manual, group, topics: [from] });
    consumers.push(consumer);
    messages.push(await readOne(consumer));
  }
  return { consumers, messages };
}

describe('commitOffsets', () => {
  test('commits the message in hand, of a loop', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const [first, second] = await readSome(consumer, 2);
    await copy(log.producer(), consumer, first!, second!);
    expect(await committed(log)).toEqual({ 't/0': 2 });
    expect(await stored(log)).toEqual(['0@0', '0@1']);
  });

  test('commits the batch in hand', async () => {
    const log = await chain(10);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    for await (const batch of consumer.batches({ max: 4 })) {
      await copy(producer, consumer, ...batch.messages);
      expect(await committed(log)).toEqual({ 't/0': batch.lastOffset + 1 });
      if (batch.lastOffset === 9) break;
    }
    expect(await countOf(log, 'out')).toBe(10);
  });

  test('commits the message that a handler has', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const over = consumer.run({
      eachMessage: async (message) => {
        await copy(producer, consumer, message);
        expect(await committed(log)).toEqual({ 't/0': message.offset + 1 });
      },
    });
    await eventually(async () => expect(await stored(log)).toEqual(['0@0', '0@1', '0@2']));
    await consumer.close();
    await over;
  });

  test('commits of all partitions what was handed out, and nothing that was not', async () => {
    const log = await logWith(four, 'out');
    await fill(log, 2, [0, 1, 2]);
    const { consumer } = new Member(log, manual);
    const messages = await readSome(consumer, 5);
    await copy(log.producer(), consumer, ...messages);
    const offsets = Object.values(await committed(log));
    expect(offsets.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 2]);
    const done = new Set(
      (await readAll(log, 'out')).map(({ value }) => new TextDecoder().decode(value!)),
    );
    expect(done).toEqual(new Set(messages.map((message) => asRecord(message).value)));
  });

  test('commits nothing twice: what is committed so is not committed once more', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed);
    const producer = stubbed.producer();
    for await (const message of consumer) {
      await copy(producer, consumer, message);
      if (message.offset === 2) break;
    }
    await consumer.close();
    expect(host.requests('commitOffsets')).toEqual([]);
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('takes several consumers, and each of them once', async () => {
    const host = stubHost();
    const log = await openTab(host);
    const { consumers, messages } = await twoGroups(log);
    await log.producer().transaction((tx) => {
      tx.sendBatch('out', messages.map(asRecord));
      for (const consumer of [...consumers, ...consumers]) tx.commitOffsets(consumer);
    });
    expect(host.requests('transact')[0]!.commits).toHaveLength(2);
    expect(await committed(log, 'a')).toEqual({ 't/0': 1 });
    expect(await committed(log, 'b')).toEqual({ 'u/0': 1 });
    expect(await countOf(log, 'out')).toBe(2);
  });

  test('of the same consumers in any order, in two producers at once, comes to an end', async () => {
    const log = await openTab();
    const { consumers } = await twoGroups(log);
    const both = [consumers, consumers.toReversed()].map((order) =>
      log.producer().transaction((tx) => {
        tx.send('out', { value: 'x' });
        for (const consumer of order) tx.commitOffsets(consumer);
      }),
    );
    let ended = 0;
    for (const each of both) void each.then(() => ended++);
    await settle();
    await settle();
    expect(ended).toBe(2);
  });

  test.each<['everyMs' | 'processed', CommitMode]>([
    ['everyMs', { everyMs: AN_HOUR_MS }],
    ['processed', 'processed'],
  ])('is not taken back by a page that freezes while it is under way: %s', async (_, commit) => {
    const page = freezablePage();
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(stubbed, { commit });
    host.answer('commitOffsets', () => Promise.reject(unavailable));
    const [, second] = await readSome(consumer, 2); // the first one is processed, and not committed
    const gate = latch();
    host.answer('transact', async (request, real) => {
      const answer = await real(request);
      await gate.opened;
      return answer;
    });
    const copying = copy(stubbed.producer(), consumer, second!);
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 2 }));
    page.dispatchEvent(new Event('freeze'));
    await eventually(() => expect(host.requests('leaveGroup')).toHaveLength(1));
    gate.open();
    await copying;
    expect((await readOne(new Member(log, manual).consumer)).offset).toBe(2);
    expect(await stored(log)).toEqual(['0@1']);
  });

  test('counts from the new place after a seek', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const iterator = consumer[Symbol.asyncIterator]();
    await consumer.ready;
    for (const [to, next] of [
      [4, 5],
      [0, 1],
      [2, 3],
    ] as const) {
      await consumer.seek(to);
      const { value } = await iterator.next();
      await copy(producer, consumer, value as Message);
      expect(await committed(log)).toEqual({ 't/0': next });
    }
    expect(await stored(log)).toEqual(['0@4', '0@0', '0@2']);
  });

  test('leaves out a message that was in hand when somebody sought', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const [, , message] = await readSome(consumer, 3);
    await consumer.seek(1);
    await copy(log.producer(), consumer, message!);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('leaves out what was handed out before somebody seeks, as long as it is not stored', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const [message] = await readSome(consumer, 3);
    const { begun, end, over } = open(log.producer(), (tx) => {
      tx.send('out', asRecord(message!));
      tx.commitOffsets(consumer);
    });
    await begun;
    await consumer.seek(1);
    end();
    await over;
    expect(await stored(log)).toEqual(['0@0']);
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('means what was handed out at the call, whatever is read before it is stored', async () => {
    const log = await chain(3);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const iterator = consumer[Symbol.asyncIterator]();
    const { value: first } = await iterator.next();
    const { begun, end, over } = open(producer, (tx) => {
      tx.send('out', asRecord(first as Message));
      tx.commitOffsets(consumer);
    });
    await begun;
    await iterator.next(); // and nobody has stored anything of that one
    end();
    await over;
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test.each([
    ['one partition', 1, 8],
    ['several partitions', 4, 1],
  ])('refuses several messages of %s in hand', async (_, partitions, each) => {
    const log = await logWith(topic('t', { partitions }), 'out');
    const all = Array.from({ length: partitions }, (__, partition) => partition);
    await fill(log, each, all);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const gate = latch();
    const inHand: Message[] = [];
    const over = consumer.run({
      concurrency: 4,
      eachMessage: async (message) => {
        inHand.push(message);
        await gate.opened;
      },
    });
    await eventually(() => expect(inHand.length).toBeGreaterThanOrEqual(Math.min(partitions, 4)));
    await settle();
    expect(new Set(inHand.map(({ partition }) => partition)).size).toBe(partitions);
    const error = await copy(producer, consumer, inHand[0]!).catch((e: unknown) => e);
    gate.open();
    await consumer.close();
    await over;
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('concurrency');
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('refuses what has no group, is closed, or is no consumer', async () => {
    const log = await chain();
    const { consumer: closed } = await joined(log);
    await closed.close();
    const refused = (consumer: unknown): Promise<unknown> =>
      log.producer().transaction((tx) => {
        tx.send('out', { value: 'a' });
        tx.commitOffsets(consumer as Consumer);
      });
    const reader = log.consumer({ topics: ['t'] });
    await expect(refused(reader)).rejects.toThrow(/needs a consumer with a group, got undefined/);
    await expect(refused(closed)).rejects.toMatchObject(code('CLOSED'));
    for (const other of [undefined, null, {}, 'g', log.producer()]) {
      await expect(refused(other)).rejects.toBeInstanceOf(TypeError);
    }
    await expect(refused('g')).rejects.toThrow('takes a consumer, got "g"');
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('of a consumer of another log stores nothing, and says so at the call', async () => {
    const [log, other] = [await chain(), await chain()];
    const { consumer } = new Member(other, manual);
    const message = await readOne(consumer);
    const refused = `commitOffsets() needs a consumer of the log '${log.name}', not '${other.name}'`;
    const running = log.producer().transaction((tx) => {
      tx.send('out', asRecord(message));
      expect(() => tx.commitOffsets(consumer)).toThrow(new TypeError(refused));
      throw new Error('not copied');
    });
    await expect(running).rejects.toThrow('not copied');
    expect(await countOf(log, 'out')).toBe(0);
    expect(await log.admin.listGroups()).toEqual([]);
  });

  test('of a consumer of another log is refused also where it has nothing new', async () => {
    const [log, other] = [await chain(), await chain()];
    const { consumer } = new Member(other, manual);
    await consumer.ready;
    await expect(copy(log.producer(), consumer)).rejects.toBeInstanceOf(TypeError);
  });

  test('of a consumer that was opened by another handle of the same log is stored', async () => {
    const { host } = storeHost();
    const [log, sameLog] = [await openTab(host, 'x'), await openTab(host, 'x')];
    await log.admin.createTopics(['t', 'out']);
    await log.producer().send('t', { value: '0' });
    const { consumer } = new Member(sameLog, manual);
    await copy(log.producer(), consumer, await readOne(consumer));
    expect(await stored(log)).toEqual(['0@0']);
  });

  test('of a consumer that has nothing new is nothing', async () => {
    const { log, stubbed, host } = await openStubbed('t', 'out');
    await fill(log, 3);
    const { consumer } = await joined(stubbed, manual);
    const producer = stubbed.producer();
    await copy(producer, consumer);
    expect(host.requests('transact')).toEqual([]);
    const message = await readOne(consumer);
    await copy(producer, consumer, message);
    await copy(producer, consumer);
    expect(host.requests('transact')).toHaveLength(1);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });
});
