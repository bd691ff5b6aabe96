import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import { deferred } from '../../../src/base/deferred.ts';
import type { FetchedPartition } from '../../../src/protocol/fetch.ts';
import { batch, valuesOf, want } from '../../support/broker-fixture.ts';
import type { FetchOptions, TestBroker } from '../../support/broker-fixture.ts';
import { idle } from '../../support/waiting.ts';
import { log, orders, shop, useShop } from '../shop.ts';

/** An open log has one timer, for its next round of retention and compaction. */
const JANITORS = 1;

useShop(2);
afterEach(() => vi.unstubAllGlobals());

interface Waiting {
  readonly answer: Promise<FetchedPartition | undefined>;
  readonly answered: () => boolean;
}

/** A fetch that has begun to wait. */
async function wait(broker: TestBroker, options: FetchOptions = {}): Promise<Waiting> {
  let answered = false;
  const answer = broker.fetch(orders, { maxWaitMs: 1_000, ...options });
  const settled = (): void => void (answered = true);
  answer.then(settled, settled);
  await idle();
  expect(answered).toBe(false);
  return { answer, answered: () => answered };
}

describe('a fetch that finds something', () => {
  test('does not wait', async () => {
    await shop.append(orders, 'a');
    for (const broker of [shop, log.broker()]) {
      expect(valuesOf(await broker.fetch(orders, { maxWaitMs: 60_000 }))).toEqual(['a']);
    }
  });
});

describe('a fetch that finds nothing', () => {
  test('is woken by an append through the same broker', async () => {
    const { answer } = await wait(shop);
    await shop.append(orders, 'a');
    expect(valuesOf(await answer)).toEqual(['a']);
  });

  test('is woken by an append through another broker, told by a hint', async () => {
    const { answer } = await wait(shop);
    await log.broker().append(orders, 'a');
    expect(valuesOf(await answer)).toEqual(['a']); // the clock stands still
  });

  test('is woken by each of many appends through another broker', async () => {
    const other = log.broker();
    for (let offset = 0; offset < 5; offset++) {
      const { answer } = await wait(shop, { offset });
      await other.append(orders, String(offset));
      log.clock.advance(20); // hints are sent at most so often
      expect(valuesOf(await answer)).toEqual([String(offset)]);
    }
  });

  test('waits on while only other partitions grow', async () => {
    const { answer, answered } = await wait(shop);
    await shop.produce(orders, batch('x'), { partition: 1 });
    await idle();
    expect(answered()).toBe(false);
    await shop.append(orders, 'a');
    expect(valuesOf(await answer)).toEqual(['a']);
  });

  test('is answered when any of its partitions grows', async () => {
    const wanted = [want(orders), want(orders, { partition: 1 })];
    const answer = shop.fetchAll(wanted, { maxWaitMs: 1_000 });
    await idle();
    await shop.produce(orders, batch('x'), { partition: 1 });
    expect((await answer).map(({ partition }) => partition)).toEqual([1]);
  });

  test('is answered with nothing when its time is up, and not before', async () => {
    const { answer, answered } = await wait(shop);
    log.clock.advance(999);
    await idle();
    expect(answered()).toBe(false);
    log.clock.advance(1);
    expect(await answer).toBeUndefined();
    expect(log.clock.timers).toBe(JANITORS);
  });

  test('learns of a deleted topic', async () => {
    const { answer } = await wait(shop);
    await shop.broker.deleteTopics(['orders']);
    expect(await answer).toMatchObject({ error: { code: 'UNKNOWN_TOPIC' } });
  });
});

describe('a hint', () => {
  test('is heeded though it comes while a look is under way that saw nothing yet', async () => {
    await shop.broker.listTopics();
    const look = deferred();
    shop.connection.failNextRead({}, { until: look.promise });
    await shop.offset(orders, 'latest'); // the catalog is known now
    const { answer, answered } = await wait(shop);
    const spy = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => spy.close());
    const heard = new Promise((resolve) => spy.addEventListener('message', resolve));
    await log.broker().append(orders, 'a');
    await heard;
    await idle();
    look.resolve();
    await idle();
    expect(answered()).toBe(true); // and the clock stands still
    expect(valuesOf(await answer)).toEqual(['a']);
  });
});

describe('a lost hint', () => {
  test('costs time up to maxWaitMs, and nothing else', async () => {
    const other = log.broker({ name: 'out-of-earshot' });
    const { answer, answered } = await wait(shop);
    await other.append(orders, 'a');
    await idle();
    expect(answered()).toBe(false);
    log.clock.advance(1_000);
    expect(valuesOf(await answer)).toEqual(['a']);
  });

  test('costs no more where every message is lost', async () => {
    class Deaf extends EventTarget {
      postMessage(): void {}
      close(): void {}
    }
    vi.stubGlobal('BroadcastChannel', Deaf);
    const [one, other] = [log.broker(), log.broker()];
    await one.append(orders, 'first');
    const { answer } = await wait(one, { offset: 1 });
    await other.append(orders, 'second');
    log.clock.advance(1_000);
    expect(valuesOf(await answer)).toEqual(['second']);
  });

  test('costs no more where there is no BroadcastChannel', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    const [one, other] = [log.broker(), log.broker()];
    const { answer } = await wait(one);
    await other.append(orders, 'a');
    log.clock.advance(1_000);
    expect(valuesOf(await answer)).toEqual(['a']);
  });

  test('of a new topic costs nothing', async () => {
    const other = log.broker({ name: 'out-of-earshot' });
    await shop.broker.listTopics();
    const made = await other.create('new');
    await other.append(made, 'a');
    expect(await shop.readAll(made)).toEqual(['a']);
  });
});

describe('who waits no more', () => {
  test('cancelFetch answers that fetch, and leaves the others', async () => {
    const mine = await wait(shop, { clientId: 'a', fetchId: 1 });
    const others = [
      await wait(shop, { clientId: 'a', fetchId: 2 }),
      await wait(shop, { clientId: 'b', fetchId: 1 }),
    ];
    await shop.broker.cancelFetch({ clientId: 'a', fetchId: 1 });
    expect(await mine.answer).toBeUndefined();
    await idle();
    expect(others.map(({ answered }) => answered())).toEqual([false, false]);
    expect(log.clock.timers).toBe(JANITORS + 2);
  });

  test('cancelFetch of what is not there does nothing', async () => {
    expect(await shop.broker.cancelFetch({ clientId: 'a', fetchId: 9 })).toBeNull();
  });

  test('a client that is forgotten leaves nothing behind', async () => {
    const gone = [
      await wait(shop, { clientId: 'a', fetchId: 1 }),
      await wait(shop, { clientId: 'a', fetchId: 2 }),
    ];
    const stays = await wait(shop, { clientId: 'ab', fetchId: 1 });
    shop.broker.forget('a');
    expect(await Promise.all(gone.map(({ answer }) => answer))).toEqual([undefined, undefined]);
    await idle();
    expect(stays.answered()).toBe(false);
    expect(log.clock.timers).toBe(JANITORS + 1);
  });

  test('a broker that is closed settles every fetch and refuses new calls', async () => {
    const { answer } = await wait(shop);
    shop.broker.close();
    shop.broker.close();
    await answer.catch((error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' }));
    await expect(shop.broker.listTopics()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await shop.produce(orders, batch('a'))).toMatchObject({ error: { code: 'CLOSED' } });
    expect(log.clock.timers).toBe(0);
  });
});
