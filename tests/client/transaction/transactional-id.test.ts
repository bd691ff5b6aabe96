import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { producerRef } from '../../../src/broker/groups/transactional-ids.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { PRODUCERS } from '../../../src/store/schema.ts';
import {
  Member,
  committed,
  fill,
  openStubbed,
  readOne,
  storeHost,
} from '../../support/group-fixture.ts';
import { countOf, logWith, memoryHost, openTab, openTwoTabs } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import {
  FENCED,
  code,
  copy,
  manual,
  memberInHand,
  open,
  say,
  stored,
} from './transaction-fixture.ts';
import { eventually } from '../../support/waiting.ts';

const lost = new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');

describe('a transactional id', () => {
  const id = { transactionalId: 'billing' };

  test('fences the one before, in another tab, and for good', async () => {
    const [mine, other] = await openTwoTabs('out');
    const [first, second] = [mine.producer(id), other.producer(id)];
    await say(first, 'a');
    await say(second, 'b');
    for (let i = 0; i < 3; i++) await expect(say(first, 'c')).rejects.toMatchObject(FENCED);
    await say(second, 'd');
    expect(await stored(mine)).toEqual(['a', 'b', 'd']);
  });

  test('fences all that the one before has open', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer(id);
    const opened = ['a', 'b', 'c'].map((value) => open(first, (tx) => tx.send('out', { value })));
    for (const { begun } of opened) await begun;
    const second = other.producer(id);
    await say(second, 'x');
    for (const { end, over } of opened) {
      end();
      await expect(over).rejects.toMatchObject(FENCED);
    }
    await say(second, 'y');
    expect(await stored(mine)).toEqual(['x', 'y']);
  });

  test('fences offsets without records too', async () => {
    const [mine, other] = await openTwoTabs('t', 'out');
    await fill(mine, 3);
    const { consumer } = new Member(mine, manual);
    await readOne(consumer);
    const first = mine.producer(id);
    await first.transaction(() => {});
    await say(other.producer(id), 'a');
    await expect(copy(first, consumer)).rejects.toMatchObject(FENCED);
    expect(await committed(mine)).toEqual({ 't/0': 0 });
  });

  test('is taken when the first transaction begins', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer(id);
    await say(first, 'a');
    const second = open(other.producer(id));
    await second.begun;
    await expect(say(first, 'b')).rejects.toMatchObject(FENCED);
    second.end();
    await second.over;
  });

  test('is kept where a partition of the group was lost', async () => {
    const { log, stubbed, consumer, message } = await memberInHand({ hears: false });
    const producer = stubbed.producer(id);
    await log.admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], { force: true });
    await expect(copy(producer, consumer, message)).rejects.toMatchObject(FENCED);
    await say(producer, 'a');
    await say(log.producer(id), 'b');
    await expect(say(producer, 'c')).rejects.toMatchObject(FENCED);
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('is not asked for by a transaction of nothing, until it is known to be lost', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer(id);
    await say(first, 'a');
    await say(other.producer(id), 'b');
    expect(await first.transaction(() => 5)).toEqual({ result: 5, placements: [] }); // as in Kafka
    await expect(say(first, 'c')).rejects.toMatchObject(FENCED);
    await expect(first.transaction(() => 5)).rejects.toMatchObject(FENCED);
  });

  test('is renewed by its holder, where nobody knows what was stored', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    const producer = stubbed.producer({ ...id, deliveryTimeoutMs: 0 });
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      throw lost;
    });
    await expect(say(producer, 'a')).rejects.toMatchObject(code('OUTCOME_UNKNOWN'));
    await say(producer, 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
    const epochs = host.requests('transact').map((request) => request.producer!.epoch);
    expect(epochs).toEqual([0, 1]);
  });

  test('is not taken by a call that was given up, and that a worker makes late', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    let late!: () => Promise<unknown>;
    host.answer('initProducer', async (request, real) => {
      late = () => real(request);
      return new Promise(() => {}); // the tab is reloaded meanwhile
    });
    void say(stubbed.producer(id), 'never').catch(() => {});
    await eventually(() => expect(late).toBeDefined());
    const producer = log.producer(id);
    await say(producer, 'a');
    await late();
    await say(producer, 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('is not taken from its holder by a call of its own that is made late', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    let late!: () => Promise<unknown>;
    host.answer('initProducer', async (request, real) => {
      host.answer('initProducer', undefined);
      late = () => real(request);
      throw lost;
    });
    const producer = stubbed.producer(id);
    await say(producer, 'a');
    await late();
    await say(producer, 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
    const epochs = host.requests('transact').map((request) => request.producer!.epoch);
    expect(epochs).toEqual([0, 0]);
  });

  test('is not renewed by who has lost it meanwhile', async () => {
    const { log, stubbed, host } = await openStubbed('out');
    const first = stubbed.producer({ ...id, deliveryTimeoutMs: 0 });
    const second = log.producer(id);
    host.answer('transact', async () => {
      host.answer('transact', undefined);
      await say(second, 'b');
      throw lost;
    });
    await expect(say(first, 'a')).rejects.toMatchObject(code('OUTCOME_UNKNOWN'));
    for (let i = 0; i < 3; i++) await expect(say(first, 'c')).rejects.toMatchObject(FENCED);
    await say(second, 'd');
    expect(await stored(log)).toEqual(['b', 'd']);
  });

  test('that is forgotten is its holder’s no more, and the next producer has it', async () => {
    const { host, store } = storeHost();
    const log = await openTab(host);
    await log.admin.createTopics(['out']);
    const first = log.producer(id);
    await say(first, 'a');
    // As the broker does with one that was not used for 7 days.
    const row = producerRef(id.transactionalId);
    await store.update([row], (_, write) => write.delete(PRODUCERS, row.key));
    for (let i = 0; i < 2; i++) await expect(say(first, 'b')).rejects.toMatchObject(FENCED);
    await say(log.producer(id), 'c');
    await expect(say(first, 'd')).rejects.toMatchObject(FENCED);
    expect(await stored(log)).toEqual(['a', 'c']);
  });

  test('leaves other ids, and producers without one, alone', async () => {
    const [mine, other] = await openTwoTabs('out');
    const first = mine.producer({ transactionalId: 'a' });
    const second = other.producer({ transactionalId: 'b' });
    const third = other.producer();
    for (let i = 0; i < 2; i++) {
      for (const producer of [first, second, third]) await say(producer, 'x');
    }
    await third.send('out', { value: 'x' });
    expect(await countOf(mine, 'out')).toBe(7);
  });

  test('outlives the tabs: the epoch goes on when the store is opened again', async () => {
    const host = memoryHost();
    const epochs: number[] = [];
    const name = crypto.randomUUID();
    for (let i = 0; i < 3; i++) {
      const stub = stubHost(host);
      const log = await openTab(stub, name);
      await log.admin.createTopics(['out']);
      await say(log.producer(id), String(i));
      const { appends, producer } = stub.requests('transact')[0]!;
      const { producerId, producerEpoch } = new RecordBatch(new Uint8Array(appends[0]!.batch));
      expect(producer).toEqual({ ...id, id: producerId, epoch: producerEpoch });
      epochs.push(producerEpoch);
      if (i === 2) expect(await stored(log)).toEqual(['0', '1', '2']);
      await log.close();
    }
    expect(epochs).toEqual([0, 1, 2]);
  });

  test('has nothing sent outside of transactions', async () => {
    const log = await logWith('out');
    const producer = log.producer(id);
    await expect(producer.send('out', { value: 'a' })).rejects.toBeInstanceOf(TypeError);
    await expect(producer.sendBatch('out', [{ value: 'a' }])).rejects.toThrow(/transaction\(\)/);
    expect(await countOf(log, 'out')).toBe(0);
  });

  test.each(['', 'a b', '../x', 'x'.repeat(201), 5, null, {}])(
    'has a name: not %j',
    async (name) => {
      const log = await logWith();
      expect(() => log.producer({ transactionalId: name as string })).toThrow(
        /transactional id|string/,
      );
      log.producer({ transactionalId: 'A-z_0.9'.padEnd(200, 'x') });
    },
  );
});
