import { describe, expect, onTestFinished, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { PROTOCOL_MISMATCH, STORAGE_TIMEOUT } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import type { Broker } from '../../../src/protocol/broker.ts';
import type { FetchedPartition } from '../../../src/protocol/fetch.ts';
import type { TopicConfig, TopicInfo } from '../../../src/protocol/topic.ts';
import { LeaderElection } from '../../../src/platform/locks/leader-election.ts';
import { PeerChannel } from '../../../src/platform/peer-channel.ts';
import { serveBroker } from '../../../src/protocol/port/serve-broker.ts';
import { logRef } from '../../../src/store/schema.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import { appendOf, batch, valuesOf, want } from '../../support/broker-fixture.ts';
import { Member } from '../groups/group-fixture.ts';
import type { World } from '../../support/world.ts';
import { eventually, settle, timed as timedBy } from '../../support/waiting.ts';
import { log, shop, useShop } from '../shop.ts';

/** Where the second worker's records begin. */
const SECOND = 1_000_000_000;
const HOUR_MS = 3_600_000;

useShop(0);

function create(name: string, config: Partial<TopicConfig> = {}): Promise<TopicInfo> {
  return shop.create(name, 1, { storage: 'memory', ...config });
}

/** What a promise resolves with, and how long that took by the log's clock. */
function timed<T>(promise: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  return timedBy(log.clock, promise, { stepMs: 250, turns: 25, maxMs: 20_000 });
}

async function nameOf({ store }: World): Promise<string> {
  const [row] = await store.read([logRef]);
  return `memory/${row!.logId}`;
}

/**
 * How a rival treats those who dial: it does not hear them, hears them and hangs, hangs at the first
 * call, or answers calls so.
 */
type Manner = 'silent' | 'ready' | 'hangs' | Partial<Broker>;

interface Rival {
  /** Every dial, heard or not. */
  readonly dials: readonly unknown[];
  readonly told: readonly string[];
  /** It dies. */
  readonly die: () => void;
}

/** Has the records of the log before anybody else, and does with callers what the test says. */
async function rival(manner: Manner, protocol = PROTOCOL_VERSION): Promise<Rival> {
  const name = await nameOf(log);
  const told: string[] = [];
  const leadership = new LeaderElection(`tablog/${name}`, {
    onElected: () => void told.push('elected'),
    onDeposed: () => void told.push('deposed'),
  });
  const dials: unknown[] = [];
  const raw = new BroadcastChannel(`tablog/${name}`);
  raw.addEventListener('message', ({ data }) => {
    if (data.kind === 'call') dials.push(data);
  });
  onTestFinished(() => raw.close());
  const hang = (): void => channel.follow();
  const channel = new PeerChannel(
    name,
    ({ endpoint }) => {
      if (manner === 'ready') return hang();
      const response = { protocol: PROTOCOL_VERSION, brokerId: 'rival' };
      const served = manner === 'hangs' ? hanging(hang) : manner;
      serveBroker(endpoint, async () => {
        if (protocol !== PROTOCOL_VERSION) throw new TablogError(PROTOCOL_MISMATCH, 'another one');
        return { response, broker: served as Broker };
      });
    },
    () => {},
  );
  const die = (): void => {
    leadership.close();
    channel.close();
  };
  onTestFinished(die);
  await leadership.campaign();
  if (manner !== 'silent') channel.lead();
  return { dials, told, die };
}

/** Takes every call, and never answers. */
function hanging(onCall = (): void => {}): Partial<Broker> {
  const call = (): Promise<never> => {
    onCall();
    return new Promise(() => {});
  };
  return new Proxy({}, { get: () => call });
}

/** Every call that needs the records and may be made again; what it brings of an empty topic. */
const REPEATABLE: readonly [
  string,
  (topic: TopicInfo) => Promise<unknown>,
  outcome: (at: number) => unknown,
][] = [
  ['fetch', (topic) => shop.fetchAll([want(topic)]), () => []],
  ['listOffsets', (topic) => shop.offset(topic, 'latest'), (at) => at],
  [
    'describeTopics',
    ({ name }) => shop.broker.describeTopics([name]),
    (at) => [expect.objectContaining({ partitions: [expect.objectContaining({ endOffset: at })] })],
  ],
  [
    'deleteRecords',
    ({ id: topicId }) => shop.broker.deleteRecords([{ topicId, partition: 0, before: 0 }]),
    (at) => [at],
  ],
  [
    'positionPartitions',
    async ({ name }) => {
      const subscription = { topics: [name], patterns: [] };
      const member = await Member.join(shop.broker, 'a', { subscription });
      return member.positions({ at: 'latest' });
    },
    (at) => [expect.objectContaining({ offset: at })],
  ],
];

/** What it is when nobody knows whether it was done. */
const UNKNOWN = { code: 'OUTCOME_UNKNOWN' };

function importFile({ id: topicId }: TopicInfo): Promise<unknown> {
  const file = batchOf([recordOf({ value: 'a' })]).buffer;
  return shop.broker.importPartition({ topicId, partition: 0, file });
}

describe('one that has the records and does not answer', () => {
  test.each<[string, Manner, number]>([
    ['calls', 'silent', 5_250],
    ['the greeting', 'ready', 7_500],
    ['any more', 'hangs', 7_500],
  ])('%s loses them within 10 s', async (_, manner, expected) => {
    const topic = await create('one');
    const { told } = await rival(manner);
    const { value, ms } = await timed(shop.offset(topic, 'latest'));
    expect(value).toBe(0);
    expect(ms).toBe(expected);
    expect(told).toEqual(['elected', 'deposed']);
    expect(await shop.append(topic, 'a')).toBe(0);
  });

  test.each(REPEATABLE)('%s is asked of the next one', async (_, call, outcome) => {
    const topic = await create('one');
    await rival('hangs');
    expect((await timed(call(topic))).value).toEqual(outcome(0));
  });

  test('nobody knows what became of an append or an import', async () => {
    const topic = await create('one');
    await rival('hangs');
    const appends = ['a', 'b'].map((value) => shop.produce(topic, batch(value)));
    const settled = timed(
      Promise.all([...appends, importFile(topic).catch((error: unknown) => ({ error }))]),
    );
    const { value, ms } = await settled;
    expect(value).toEqual(
      value.map(() => ({ error: expect.objectContaining(UNKNOWN) as unknown })),
    );
    expect(ms).toBe(2_250);
    expect((await timed(shop.offset(topic, 'latest'))).value).toBe(0);
  });

  test('is called once by each broker, however many wait', async () => {
    const topic = await create('one');
    const { dials, told } = await rival('hangs');
    const calls = Array.from({ length: 10 }, () => shop.offset(topic, 'latest'));
    expect((await timed(Promise.all(calls))).value).toEqual(calls.map(() => 0));
    expect(dials).toHaveLength(2); // and once more after it was silent
    expect(told).toEqual(['elected', 'deposed']);
  });

  test('does not hold up what others have of topics on disk', async () => {
    const [inMemory, onDisk] = [await create('one'), await shop.create('disk')];
    await rival('hangs');
    const poll = shop.fetchAll([want(inMemory), want(onDisk)], { maxWaitMs: 30_000 });
    await settle();
    await shop.append(onDisk, 'a');
    const { value, ms } = await timed(poll);
    expect(value.map(valuesOf)).toEqual([['a']]);
    expect(ms).toBeLessThan(1_000);
  });

  test('is taken over by one of several, and the others ask that one', async () => {
    const topic = await create('one');
    await rival('hangs');
    const others = [log.broker(), log.broker()];
    const brokers = [shop, ...others];
    await timed(Promise.all(brokers.map((broker) => broker.offset(topic, 'latest'))));
    const appended = timed(Promise.all(brokers.map((broker) => broker.append(topic, 'a'))));
    expect((await appended).value.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    for (const broker of brokers) expect(await broker.readAll(topic)).toEqual(['a', 'a', 'a']);
  });
});

describe('one of a build with another protocol', () => {
  test('keeps the records, and others are told so, call by call', async () => {
    const topic = await create('one');
    const { dials, told } = await rival({}, PROTOCOL_VERSION + 1);
    const mismatch = { code: 'PROTOCOL_MISMATCH' };
    for (let calls = 1; calls <= 3; calls++) {
      await expect(shop.offset(topic, 'latest')).rejects.toMatchObject(mismatch);
      expect(dials).toHaveLength(calls);
    }
    expect(await shop.produce(topic, batch('a'))).toMatchObject({ error: mismatch });
    await expect(importFile(topic)).rejects.toMatchObject(mismatch);
    expect(told).toEqual(['elected']);
  });

  test('is asked no more when it is gone', async () => {
    const topic = await create('one');
    const { die } = await rival({}, PROTOCOL_VERSION + 1);
    await expect(shop.offset(topic, 'latest')).rejects.toMatchObject({ code: 'PROTOCOL_MISMATCH' });
    die();
    expect(await shop.append(topic, 'a')).toBe(0);
  });
});

describe('one that answers late', () => {
  test('is believed within its time', async () => {
    const topic = await create('one');
    const late = deferred();
    const { told } = await rival({ listOffsets: () => late.promise.then(() => [41]) });
    const offset = shop.offset(topic, 'latest');
    await settle();
    log.clock.advance(1_999);
    late.resolve();
    expect(await offset).toBe(41);
    expect(told).toEqual(['elected']);
  });

  test('and keeps the records where it answers the second call', async () => {
    const topic = await create('one');
    let calls = 0;
    const listOffsets = (): Promise<number[]> =>
      ++calls === 1 ? new Promise(() => {}) : Promise.resolve([41]);
    const { told } = await rival({ listOffsets });
    expect(await timed(shop.offset(topic, 'latest'))).toEqual({ value: 41, ms: 2_250 });
    expect(told).toEqual(['elected']);
  });

  test('again and again is waited for within 10 s', async () => {
    const topic = await create('one');
    const late = deferred();
    const { told } = await rival({ listOffsets: () => late.promise.then(() => [41]) });
    const offset = timed(shop.offset(topic, 'latest').catch((error: unknown) => error));
    expect(await offset).toEqual({ value: expect.objectContaining(UNKNOWN) as unknown, ms: 6_750 });
    late.resolve();
    expect(await shop.offset(topic, 'latest')).toBe(41);
    expect(told).toEqual(['elected']); // it hears what is said: another one would do no better
  });
});

describe('one that dies', () => {
  test.each(REPEATABLE)('%s is asked of the next one, at once', async (_, call, outcome) => {
    const topic = await create('one');
    const { die } = await rival('hangs');
    const called = call(topic);
    await settle();
    die();
    expect(await called).toEqual(outcome(0));
  });

  test('leaves unknown what was being appended, batch by batch', async () => {
    const [one, two] = [await create('one'), await create('two')];
    const { die } = await rival('hangs');
    const appends = [one, two].map((topic) => appendOf(topic, batch('a')));
    const produced = shop.broker.produce({ appends, durability: 'relaxed' });
    await settle();
    die();
    const unknown = { error: expect.objectContaining(UNKNOWN) as unknown };
    expect(await produced).toEqual([unknown, unknown]);
  });

  test('as it is called: whoever calls is not told', async () => {
    const topic = await create('one');
    const { die } = await rival('ready');
    const produced = shop.append(topic, 'a');
    await settle();
    die();
    expect(await produced).toBe(0);
  });

  test('and closes properly answers nobody any more: no call hears that it is closed', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    await other.offset(topic, 'latest');
    const calls = Array.from({ length: 20 }, () => other.offset(topic, 'latest'));
    const poll = other.fetch(topic, { offset: 1, maxWaitMs: HOUR_MS });
    shop.broker.close();
    for (const offset of await Promise.all(calls)) expect([1, SECOND]).toContain(offset);
    expect(await poll).toMatchObject({ error: { code: 'OFFSET_OUT_OF_RANGE' } });
    expect(await other.append(topic, 'b')).toBe(SECOND);
  });
});

describe('who says that another one leads', () => {
  test('and it is not so, ends no connection', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    await other.offset(topic, 'latest');
    const forger = new BroadcastChannel(`tablog/${await nameOf(log)}`);
    onTestFinished(() => forger.close());
    const { timers } = log.clock;
    for (let offset = 1; offset < 20; offset++) {
      const appended = other.append(topic, 'b');
      forger.postMessage({ kind: 'leads' });
      expect(await appended).toBe(offset);
      await settle();
    }
    expect(log.clock.timers).toBe(timers);
  });

  test('and leads again itself, by the time that others look, has ended its connections', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    const poll = other.fetch(topic, { offset: 1, maxWaitMs: HOUR_MS });
    await settle();
    const between = new LeaderElection(`tablog/${await nameOf(log)}`, {
      onElected() {},
      onDeposed() {},
    });
    await between.campaign();
    await between.takeOver();
    between.close();
    expect(await poll).toMatchObject({ error: { code: 'OFFSET_OUT_OF_RANGE' } });
    expect(await other.append(topic, 'b')).toBe(SECOND);
    expect(await shop.readAll(topic, { offset: SECOND })).toEqual(['b']);
  });
});

describe('who calls', () => {
  test('and says nothing more is hung up on', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const { timers } = log.clock;
    const name = await nameOf(log);
    const caller = new BroadcastChannel(`tablog/${name}`);
    const answers: { readonly at: string }[] = [];
    caller.addEventListener('message', ({ data }) => answers.push(data as { at: string }));
    caller.postMessage({ kind: 'call', from: 'nobody' });
    await eventually(() => expect(answers).toHaveLength(1));
    const end = new BroadcastChannel(`tablog/${name}/${answers[0]!.at}`);
    onTestFinished(() => [caller, end].forEach((channel) => channel.close()));
    const heard: unknown[] = [];
    end.addEventListener('message', ({ data }) => heard.push(data));
    await log.pass(5_000);
    expect(heard).toEqual([]);
    log.clock.advance(250);
    await eventually(() => expect(heard).toEqual(['end']));
    expect(log.clock.timers).toBe(timers);
  });

  test('and greets is answered for as long as it lives', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    await other.offset(topic, 'latest');
    const { timers } = log.clock;
    await log.pass(60_000);
    expect(await other.append(topic, 'b')).toBe(1);
    expect(log.clock.timers).toBe(timers);
  });
});

describe('a poll of topics on disk and in memory', () => {
  const failed = new TablogError(STORAGE_TIMEOUT, 'the database does not answer');
  const fetch = (): Promise<never> => Promise.reject(failed);

  test('brings what is on disk where the other broker fails, now or later', async () => {
    const [inMemory, onDisk] = [await create('one'), await shop.create('disk')];
    await rival({ fetch });
    const poll = (): Promise<FetchedPartition[]> =>
      shop.fetchAll([want(inMemory), want(onDisk)], { maxWaitMs: 30_000 });
    const later = poll();
    await settle();
    await shop.append(onDisk, 'a');
    for (const found of [await later, await poll()]) expect(found.map(valuesOf)).toEqual([['a']]);
  });

  test('tells of a failure where there is nothing to bring', async () => {
    const [inMemory, onDisk] = [await create('one'), await shop.create('disk')];
    await rival({ fetch });
    const poll = shop.fetchAll([want(inMemory), want(onDisk)], { maxWaitMs: 1_000 });
    const { value } = await timed(poll.catch((error: unknown) => error));
    expect(value).toMatchObject({ code: failed.code });
  });

  test('brings what is in memory where the disk fails', async () => {
    const [inMemory, onDisk] = [await create('one'), await shop.create('disk')];
    await shop.append(inMemory, 'a');
    const poll = (offset: number): Promise<FetchedPartition[]> => {
      shop.connection.failNextRead({ error: failed });
      return shop.fetchAll([want(inMemory, { offset }), want(onDisk)], { maxWaitMs: 30_000 });
    };
    expect((await poll(0)).map(valuesOf)).toEqual([['a']]);
    await expect(poll(1)).rejects.toMatchObject({ code: failed.code });
  });
});

describe('a poll', () => {
  test('that is called off ends, also where another broker has the records', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    const options = { offset: 1, maxWaitMs: HOUR_MS, clientId: 'c', fetchId: 7 };
    const poll = other.fetch(topic, options);
    await settle();
    const { timers } = log.clock;
    await other.broker.cancelFetch({ clientId: 'c', fetchId: 7 });
    expect(await poll).toBeUndefined();
    await settle();
    expect(log.clock.timers).toBe(timers - 2); // its own deadline, and the wait of the other one
  });

  test('brings what a third one sends', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const [reader, sender] = [log.broker(), log.broker()];
    const poll = reader.fetch(topic, { offset: 1, maxWaitMs: HOUR_MS });
    await settle();
    await sender.append(topic, 'b');
    expect(valuesOf(await poll)).toEqual(['b']);
  });

  test('ends in time, with nothing, where the records are lost meanwhile', async () => {
    const topic = await create('one');
    await rival('hangs');
    const { value, ms } = await timed(shop.fetch(topic, { maxWaitMs: 1_000 }));
    expect(value).toBeUndefined();
    expect(ms).toBeLessThan(10_000);
  });
});

describe('a broker that closes', () => {
  test.each<[string, Manner]>([
    ['as it calls', 'silent'],
    ['as it greets', 'ready'],
    ['as it waits for an answer', 'hangs'],
  ])('%s settles every call at once, and takes over from nobody', async (_, manner) => {
    const topic = await create('one');
    const { told } = await rival(manner);
    const calls = [
      shop.offset(topic, 'latest'),
      shop.fetch(topic, { maxWaitMs: HOUR_MS }),
      shop.append(topic, 'a'),
    ];
    await settle();
    shop.broker.close();
    for (const settled of await Promise.allSettled(calls)) {
      if (settled.status === 'fulfilled') continue;
      expect(['CLOSED', 'OUTCOME_UNKNOWN']).toContain(settled.reason.code);
    }
    await log.pass(10_000);
    expect(told).toEqual(['elected']);
  });

  test('with calls on their way stands for nothing any more', async () => {
    const topic = await create('one');
    shop.broker.close();
    for (let turns = 0; turns < 10; turns++) {
      const broker = log.broker();
      const calls = [broker.offset(topic, 'latest'), broker.append(topic, 'a')];
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      broker.broker.close();
      await Promise.allSettled(calls);
    }
    expect(await log.broker().append(topic, 'a')).toBeGreaterThanOrEqual(0);
  });
});
