import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, Log, MessageOf } from '../../../src/index.ts';
import type { Store } from '../../../src/store/store.ts';
import { Random } from '../../checker/random.ts';
import { AN_HOUR_MS, logWith, numbered, take, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { settle, idle } from '../../support/waiting.ts';
import { World } from '../../support/world.ts';
import { systemClock } from '../../../src/platform/clock.ts';

const SEEDS = 150;

/** A store whose every transaction begins some turns later, in whatever order. */
function shuffled(store: Store, random: Random): Store {
  const later = async (): Promise<void> => {
    for (let left = random.int(0, 3); left > 0; left--) await idle();
  };
  return {
    read: (refs) => later().then(() => store.read(refs)),
    readAll: (name) => later().then(() => store.readAll(name)),
    readSegments: (requests) => later().then(() => store.readSegments(requests)),
    update: (refs, decide, options) => later().then(() => store.update(refs, decide, options)),
    updatePartitions: (refs, decide, options) => store.updatePartitions(refs, decide, options),
    closed: store.closed,
    close() {},
  };
}

async function openShuffled(random: Random): Promise<Log> {
  const world = new World();
  const openStore = async (): Promise<Store> => shuffled(world.store, random);
  return (await world.openTab({ openStore, clock: systemClock })).log;
}

/** The values that `count` messages have, however the consumer is read. */
async function read(consumer: Consumer<string>, count: number, random: Random): Promise<string[]> {
  const values: (string | null)[] = [];
  const way = random.int(0, 2);
  if (way === 0) {
    values.push(...texts(await take(consumer, count)));
  } else if (way === 1) {
    for await (const { messages } of consumer.batches({ max: count })) {
      values.push(...texts(messages));
      if (values.length >= count) break;
    }
  } else {
    await new Promise<void>((resolve) => {
      const eachMessage = (message: MessageOf<string>): void => {
        values.push(...texts([message]));
        if (values.length >= count) resolve();
      };
      void consumer.run({ eachMessage });
    });
  }
  return values.map(String).sort();
}

test(`what a tab sends after it made a consumer, that consumer sees, in ${SEEDS} walks`, async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = new Random(seed);
    const log = await openShuffled(random);
    const storage = random.pick(['disk', 'disk', 'memory'] as const);
    const rooms = ['room-a', 'room-b'].map((name) =>
      topic(name, { storage, partitions: random.int(1, 3) }),
    );
    await log.admin.createTopics(rooms);
    const producer = log.producer();
    const old = random.int(0, 3);
    for (const room of rooms) await producer.sendBatch(room.name, numbered(old));
    if (random.chance(0.5)) await log.admin.createTopics(['another']); // what is known is stale
    const topics = random.pick([[/^room/], ['room-a', 'room-b']]);
    const count = random.int(1, 2);
    const consumers = Array.from({ length: count }, (_, i) => {
      const group = random.pick([undefined, `group-${i}`]);
      const from = random.pick([undefined, 'latest', new Date(Date.now() + 60_000)] as const);
      const options = {
        topics,
        maxWaitMs: AN_HOUR_MS,
        ...(group && { group }),
        ...(from && { from }),
      };
      return log.consumer(options as ConsumerOptions<string>);
    });
    const isSought = random.chance(0.3);
    if (isSought) for (const consumer of consumers) void consumer.seek('latest');
    if (random.chance(0.3)) for (let i = random.int(0, 5); i > 0; i--) await Promise.resolve();
    if (random.chance(0.2)) await settle();
    const other = random.chance(0.3) ? log.producer({ lingerMs: 1 }) : producer;
    const sent = ['new-0', 'new-1', 'new-2'];
    const sends = sent.map((value) => {
      const room = random.pick(rooms).name;
      return random.chance(0.2) && storage === 'disk'
        ? other.transaction((tx) => tx.send(room, { value }))
        : other.send(room, { value });
    });
    for (const consumer of consumers) {
      expect(await read(consumer, sent.length, random), `seed ${seed}`).toEqual(sent);
    }
    await Promise.all(sends);
    await log.close();
  }
});

describe('what is sent after the call of seek("latest") is read', () => {
  test.each([['ready'], ['not ready yet']])('by a consumer that is %s', async (state) => {
    const log = await openShuffled(new Random(5));
    await log.admin.createTopics(['t']);
    await log.producer().sendBatch('t', numbered(3));
    for (let i = 0; i < 20; i++) {
      const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS });
      if (state === 'ready') await consumer.ready;
      const sought = consumer.seek('latest');
      const value = `new ${i}`;
      await Promise.all([sought, log.producer().send('t', { value })]);
      expect(texts(await take(consumer, 1))).toEqual([value]);
      await consumer.close();
    }
  });
});

test('a topic that is made after a consumer is read from its first record, also in a group', async () => {
  const log = await logWith('other');
  for (const group of [undefined, 'g']) {
    const name = `made-${group}`;
    const options = { topics: [name], maxWaitMs: AN_HOUR_MS, ...(group && { group }) };
    const consumer = log.consumer(options);
    await log.admin.createTopics([name]);
    await log.producer().send(name, { value: 'first' });
    expect(texts(await take(consumer, 1))).toEqual(['first']);
  }
});

test('a partition that a member is given later, of which nothing is committed: as of its making', async () => {
  const { log, host } = await stubbedLog('t');
  await log.producer().sendBatch('t', numbered(3));
  const gate = host.hold('joinGroup');
  const consumer = log.consumer({ topics: ['t'], group: 'g' });
  await gate.arrived(1);
  await log.producer().sendBatch('t', [{ value: 'while it joins' }]);
  gate.open();
  expect(texts(await take(consumer, 1))).toEqual(['while it joins']);
});

test('without an answer to where it begins, a member begins where it is when it is its turn', async () => {
  const { log, host } = await stubbedLog('t');
  host.answer('listTopicOffsets', () => Promise.reject(new Error('no answer')));
  const consumer = log.consumer({ topics: ['t'], group: 'g' });
  await consumer.ready;
  await log.producer().send('t', { value: 'new' });
  expect(texts(await take(consumer, 1))).toEqual(['new']);
});

test('a topic that came since, and has lost its first records, is read from what it has', async () => {
  const log = await logWith('t');
  const consumer = log.consumer({ topics: ['t', 'later'] });
  await consumer.ready;
  await log.admin.createTopics(['later']);
  await log.producer().sendBatch('later', numbered(3));
  await log.admin.deleteRecords([{ topic: 'later', partition: 0, before: 1 }]);
  await log.producer().send('later', { value: 'last' });
  expect(texts(await take(consumer, 3))).toEqual(['1', '2', 'last']);
});
