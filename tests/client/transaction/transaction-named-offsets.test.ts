import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Consumer, Log, Message, OffsetToCommit, Producer } from '../../../src/index.ts';
import { Member, committed, fill, four, joined } from '../../support/group-fixture.ts';
import { countOf, logWith } from '../../support/log-fixture.ts';
import {
  FENCED,
  asRecord,
  chain,
  code,
  manual,
  memberInHand,
  open,
  readSome,
  stored,
} from './transaction-fixture.ts';
import { eventually, latch, settle } from '../../support/waiting.ts';
import { expel, stubbedLog } from '../../support/stub-broker.ts';

/** The offset after a message. */
function after({ topic: of, partition, offset }: Message): OffsetToCommit {
  return { topic: of, partition, offset: offset + 1 };
}

/** Offsets of the one partition of 't'. */
function at(...offsets: readonly number[]): OffsetToCommit[] {
  return offsets.map((offset) => ({ topic: 't', partition: 0, offset }));
}

/** Consume, transform, produce, with the offsets of these messages. */
function copyNamed(
  producer: Producer,
  consumer: Consumer,
  ...messages: readonly Message[]
): Promise<unknown> {
  return producer.transaction((tx) => {
    tx.sendBatch('out', messages.map(asRecord));
    tx.commitOffsets(consumer, messages.map(after));
  });
}

/** A transaction of one record and these offsets. */
function commit(
  log: Log,
  consumer: Consumer,
  offsets: readonly OffsetToCommit[],
): Promise<unknown> {
  return log.producer().transaction((tx) => {
    tx.send('out', { value: 'x' });
    tx.commitOffsets(consumer, offsets);
  });
}

/** A consumer whose handlers, four at a time, wait with their messages, and these in their order. */
async function inHand(
  log: Log,
  count: number,
): Promise<{ consumer: Consumer; messages: Message[]; end: () => Promise<void> }> {
  const { consumer } = new Member(log, manual);
  const gate = latch();
  const messages: Message[] = [];
  const over = consumer.run({
    concurrency: 4,
    eachMessage: async (message) => {
      messages.push(message);
      await gate.opened;
    },
  });
  await eventually(() => expect(messages).toHaveLength(count));
  messages.sort((a, b) => a.offset - b.offset);
  const end = async (): Promise<void> => {
    gate.open();
    await consumer.close();
    await over;
  };
  return { consumer, messages, end };
}

/** A log whose topic 't' has records of so many keys in one partition. */
async function keyed(count: number): Promise<Log> {
  const log = await logWith('t', 'out');
  const records = Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: String(i) }));
  await log.producer().sendBatch('t', records);
  return log;
}

describe('offsets that are named', () => {
  test('are stored with the records, by handlers of batches side by side', async () => {
    const log = await logWith(four, 'out');
    await fill(log, 10, [0, 1, 2, 3]);
    const { consumer } = new Member(log, manual);
    const producer = log.producer();
    const over = consumer.run({
      concurrency: 4,
      max: 4,
      eachBatch: async ({ messages, lastOffset, partition }) => {
        await copyNamed(producer, consumer, ...(messages as Message[]));
        expect((await committed(log))[`t/${partition}`]).toBe(lastOffset + 1);
      },
    });
    await eventually(async () => expect(await countOf(log, 'out')).toBe(40));
    await consumer.close();
    await over;
    expect(await committed(log)).toEqual({ 't/0': 10, 't/1': 10, 't/2': 10, 't/3': 10 });
    expect(new Set(await stored(log)).size).toBe(40);
  });

  test('of the oldest message in hand are stored, whatever else is in hand', async () => {
    const log = await keyed(4);
    const { consumer, messages, end } = await inHand(log, 4);
    await copyNamed(log.producer(), consumer, messages[0]!);
    expect(await committed(log)).toEqual({ 't/0': 1 });
    await end();
  });

  test('are refused where they pass over a message that is still in hand', async () => {
    const log = await keyed(4);
    const { consumer, messages, end } = await inHand(log, 4);
    const refused = copyNamed(log.producer(), consumer, messages[2]!);
    await expect(refused).rejects.toThrow(
      new TypeError(
        'commitOffsets() of offset 3 of partition 0 would pass over message 0, which is still in ' +
          'hand. Have the transaction process it too and name its offset, or use eachBatch: it has ' +
          'one batch of a partition at a time',
      ),
    );
    expect(await countOf(log, 'out')).toBe(0);
    await end();
  });

  test.each(['in one call', 'one by one'])('may be of all messages in hand: %s', async (how) => {
    const log = await keyed(4);
    const { consumer, messages, end } = await inHand(log, 4);
    await log.producer().transaction((tx) => {
      tx.sendBatch('out', messages.map(asRecord));
      const all = messages.map(after);
      if (how === 'in one call') tx.commitOffsets(consumer, all.toReversed());
      else for (const one of all) tx.commitOffsets(consumer, [one]);
    });
    expect(await committed(log)).toEqual({ 't/0': 4 });
    expect(await stored(log)).toEqual(['0@0', '0@1', '0@2', '0@3']);
    await end();
  });

  test('are each of its own partition, and the others stay where they are', async () => {
    const log = await logWith(four, 'out');
    await fill(log, 2, [0, 1]);
    const { consumer } = await joined(log, manual);
    const messages = await readSome(consumer, 4);
    const [of0, of1] = [0, 1].map((partition) => messages.filter((m) => m.partition === partition));
    await copyNamed(log.producer(), consumer, of0![0]!, of1![0]!, of1![1]!);
    expect(await committed(log)).toMatchObject({ 't/0': 1, 't/1': 2, 't/2': 0 });
  });

  test('have their metadata, of the highest one', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    await readSome(consumer, 2);
    const offsets = [
      { topic: 't', partition: 0, offset: 2, metadata: 'two' },
      { topic: 't', partition: 0, offset: 1, metadata: 'one' },
    ];
    await commit(log, consumer, offsets);
    expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 2, metadata: 'two' }]);
  });

  test('may be of a topic without a name for text', async () => {
    const typed = topic('t');
    const log = await chain();
    const { consumer } = new Member(log, manual);
    await readSome(consumer, 1);
    await commit(log, consumer, [{ topic: typed, partition: 0, offset: 1 }]);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('replace nothing, and are replaced by a call without them', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    await readSome(consumer, 3);
    await log.producer().transaction((tx) => {
      tx.commitOffsets(consumer, at(1));
      tx.commitOffsets(consumer);
    });
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('never take back what is committed, but after a seek', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    const { value } = await messages.next();
    await (value as Message).commit();
    await commit(log, consumer, at(1));
    expect(await committed(log)).toEqual({ 't/0': 2 });
    await consumer.seek(0);
    await messages.next();
    await commit(log, consumer, at(1));
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('may be the position', async () => {
    const log = await chain();
    const { consumer } = new Member(log, manual);
    await readSome(consumer, 2);
    const place = { topic: 't', partition: 0 };
    await commit(log, consumer, [{ ...place, offset: consumer.position(place) }]);
    expect(await committed(log)).toEqual({ 't/0': 2 });
  });

  test('do not reach over messages that are collected for a batch, be they before the position', async () => {
    const log = await chain(3);
    const { consumer } = new Member(log, manual);
    const batches = consumer.batches({ max: 10, maxWaitMs: 60_000 });
    const waiting = batches.next();
    const place = { topic: 't', partition: 0 };
    await eventually(() => expect(consumer.position(place)).toBe(3));
    await commit(log, consumer, [{ ...place, offset: 3 }]);
    expect(await committed(log)).toEqual({ 't/0': 0 });
    await consumer.close();
    await waiting;
  });

  test('that a seek comes after are left out, as long as they are not stored', async () => {
    const log = await chain(6);
    const { consumer } = new Member(log, manual);
    const [message] = await readSome(consumer, 1);
    const { begun, end, over } = open(log.producer(), (tx) => {
      tx.send('out', asRecord(message!));
      tx.commitOffsets(consumer, [after(message!)]);
    });
    await begun;
    await consumer.seek(0);
    end();
    await over;
    expect(await stored(log)).toEqual(['0@0']);
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });

  test('that a seek came after do not stand in the way of others', async () => {
    const log = await logWith(four, 'out');
    await fill(log, 3, [0, 1]);
    const { consumer } = await joined(log, manual);
    const messages = await readSome(consumer, 6);
    const [of0, of1] = [0, 1].map((partition) => messages.filter((m) => m.partition === partition));
    await log.producer().transaction(async (tx) => {
      tx.commitOffsets(consumer, [after(of0!.at(-1)!)]);
      await consumer.seek(0, { topic: 't', partition: 0 });
      tx.commitOffsets(consumer, [after(of1!.at(-1)!)]);
    });
    expect(await committed(log)).toMatchObject({ 't/0': 0, 't/1': 3 });
  });

  test('are refused, and nothing is stored', async () => {
    const log = await logWith('t', 'u', 'out');
    await fill(log, 3);
    const { consumer } = await joined(log, manual);
    const [message] = await readSome(consumer, 1);
    const refused = async (offsets: unknown): Promise<unknown> =>
      commit(log, consumer, offsets as OffsetToCommit[]).catch((error: unknown) => error);
    const offset = after(message!);
    expect(await refused(offset)).toEqual(
      new TypeError('commitOffsets() takes an array of offsets, got { topic, partition, offset }'),
    );
    expect(String(await refused([{ ...offset, offset: 3 }]))).toBe(
      'RangeError: commitOffsets() of offset 3 of partition 0: the next message is 1',
    );
    for (const wrong of [
      null,
      { ...offset, offset: '1' },
      { ...offset, metadata: 5 },
      { ...offset, topic: 'u' },
      { ...offset, leaderEpoch: 1 },
      { topic: 't', offset: 1 },
    ]) {
      expect(await refused([offset, wrong])).toBeInstanceOf(TypeError);
    }
    expect(await refused([{ ...offset, offset: -1 }])).toBeInstanceOf(RangeError);
    expect(await refused([{ ...offset, partition: 1 }])).toMatchObject(code('NOT_ASSIGNED'));
    expect(await countOf(log, 'out')).toBe(0);
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });
});

describe('a partition that another member has by now', () => {
  test.each([
    ['and its tab has not heard', false],
    ['and its tab has heard', true],
  ])('fences the transaction, %s', async (_, hears) => {
    const { log, stubbed, host, consumer, message } = await memberInHand({ hears });
    const lost = new Promise((resolve) => consumer.on('lost', resolve));
    await expel(host, log);
    if (hears) await lost;
    const producer = stubbed.producer();
    for (let i = 0; i < 2; i++) {
      await expect(copyNamed(producer, consumer, message)).rejects.toMatchObject(FENCED);
    }
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('fences it also where the offset is committed already', async () => {
    const { log, stubbed, host, consumer, message } = await memberInHand({ hears: false });
    await message.commit();
    await expel(host, log);
    await expect(copyNamed(stubbed.producer(), consumer, message)).rejects.toMatchObject(FENCED);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test('does not fence what is of other partitions', async () => {
    const { log } = await stubbedLog('t', 'u', 'out');
    for (const name of ['t', 'u']) await fill(log, 1, [0], name);
    const { consumer } = new Member(log, { ...manual, topics: ['t', 'u'] });
    const messages = await readSome(consumer, 2);
    await log.admin.deleteTopics(['t']);
    await eventually(() => expect(consumer.assignment).toHaveLength(1));
    const [ofT, ofU] = ['t', 'u'].map((name) => messages.find((m) => m.topic === name)!);
    const producer = log.producer();
    await expect(copyNamed(producer, consumer, ofT!)).rejects.toMatchObject(FENCED);
    await copyNamed(producer, consumer, ofU!);
    expect(await committed(log)).toEqual({ 'u/0': 1 });
  });
});

describe('a consumer that commits by itself', () => {
  test('goes on from an offset within a batch', async () => {
    const log = await chain(10);
    const { consumer } = new Member(log);
    for await (const { messages } of consumer.batches({ max: 10 })) {
      await copyNamed(log.producer(), consumer, ...(messages.slice(0, 4) as Message[]));
      expect(await committed(log)).toEqual({ 't/0': 4 });
      break; // with the rest still to be done
    }
    const [next] = await readSome(consumer, 2);
    expect(next!.offset).toBe(4);
    await consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 5 });
  });

  test('does not commit what it has processed while a transaction may commit more', async () => {
    const { log, host } = await stubbedLog('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(log);
    const gate = host.hold('transact');
    const messages = consumer[Symbol.asyncIterator]();
    const { value } = await messages.next();
    const copying = copyNamed(log.producer(), consumer, value as Message);
    await gate.arrived(1);
    await messages.next(); // the first one is processed
    await settle();
    expect(host.requests('commitOffsets')).toEqual([]);
    gate.open();
    await copying;
    await settle();
    expect(host.requests('commitOffsets')).toEqual([]);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('commits it when the transaction has failed', async () => {
    const { log, host } = await stubbedLog('t', 'out');
    await fill(log, 3);
    const { consumer } = new Member(log);
    const gate = latch();
    host.answer('transact', () => gate.opened.then(() => Promise.reject(new Error('broken'))));
    const messages = consumer[Symbol.asyncIterator]();
    const { value } = await messages.next();
    const copying = copyNamed(log.producer(), consumer, value as Message);
    await eventually(() => expect(host.requests('transact')).toHaveLength(1));
    await messages.next();
    gate.open();
    await expect(copying).rejects.toMatchObject(code('INTERNAL'));
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 1 }));
  });
});

test('a named offset before the delivered ones does not lower them', async () => {
  const log = await logWith(topic('t'), topic('out'));
  await fill(log, 5);
  const { consumer } = await joined(log, manual);
  await readSome(consumer, 3);
  await log.producer().transaction((tx) => {
    tx.commitOffsets(consumer);
    tx.commitOffsets(consumer, at(1));
  });
  expect(await committed(log)).toEqual({ 't/0': 3 });
});
