import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { TailCache } from '../../src/broker/partitions/tail-cache.ts';
import { string, topic } from '../../src/index.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { logRef } from '../../src/store/schema.ts';
import type { Message } from '../../src/index.ts';
import { Random } from '../checker/random.ts';
import { oneSeed } from '../support/seeds.ts';
import { eventually, idle, settle } from '../support/waiting.ts';
import { World } from '../support/world.ts';
import { FORGED_KINDS, anyMessage } from '../support/forged-messages.ts';

const text = { key: string(), value: string() };
const disk = topic('disk', text);
const shared = topic('shared', { ...text, storage: 'memory' });
const work = topic('work', { ...text, partitions: 4 });

/** A channel of the log, as any script of the origin can open it. */
function channel(name: string): BroadcastChannel {
  const opened = new BroadcastChannel(`tablog/${name}`);
  onTestFinished(() => opened.close());
  return opened;
}

/** The names of all channels of a log that are open now, or were. */
async function channelsOf({ name, store }: World): Promise<string[]> {
  const [row] = await store.read([logRef]);
  return [`${PROTOCOL_VERSION}/${name}`, `memory/${row!.logId}`];
}

test('forged, repeated and random messages on all channels change neither what is stored nor what is read', async () => {
  const seed = oneSeed();
  const random = new Random(seed);
  const world = new World();
  const [one, two] = [await world.openTab({}, disk, shared, work), await world.openTab()];
  const names = await channelsOf(world);
  const [hints, memory] = names.map(channel) as [BroadcastChannel, BroadcastChannel];
  // The connections of the topics in memory are channels whose names the leader makes up.
  const connections: BroadcastChannel[] = [];
  memory.addEventListener('message', ({ data }: MessageEvent<{ kind?: unknown; at?: unknown }>) => {
    if (data?.kind !== 'answer' || typeof data.at !== 'string') return;
    connections.push(channel(`${names[1]}/${data.at}`));
  });
  // Real messages come again, late and in another order.
  const overheard: unknown[] = [];
  for (const each of [hints, memory]) {
    each.addEventListener('message', ({ data }) => overheard.length < 200 && overheard.push(data));
  }
  const readers = [disk, shared].map((of) => two.log.consumer({ topics: [of], from: 'earliest' }));
  const members = [one, two].map(({ log }) =>
    log.consumer({ topics: [work], group: 'g', from: 'earliest' }),
  );
  const read: string[] = [];
  const handled: string[] = [];
  const idOf = ({ topic: name, partition, offset }: Message): string =>
    `${name}/${partition}/${offset}`;
  const loops = [...readers, ...members].map(async (consumer, i) => {
    for await (const message of consumer) (i < readers.length ? read : handled).push(idOf(message));
  });
  const [{ id: topicId }] = await one.log.admin.describeTopics([disk]);
  const messages = fc.sample(anyMessage({ topicId, groupId: 'g' }), { seed, numRuns: 2_000 });
  const posting = (async () => {
    for (const message of messages) {
      const to = random.pick([hints, hints, memory, random.pick([hints, ...connections])]);
      try {
        to.postMessage(
          random.chance(0.1) && overheard.length > 0 ? random.pick(overheard) : message,
        );
      } catch {
        // What cannot be cloned cannot be posted.
      }
      if (random.chance(0.1)) await idle();
    }
  })();
  const producers = [one, two].map(({ log }) => log.producer());
  const placed: string[] = [];
  const COUNT = 60;
  for (let i = 0; i < COUNT; i++) {
    for (const to of [disk, shared, work]) {
      const { partition, offset } = await random
        .pick(producers)
        .send(to, { key: `k${i}`, value: 'v' });
      placed.push(`${to.name}/${partition}/${offset}`);
    }
  }
  await posting;
  const ofWork = placed.filter((id) => id.startsWith('work/'));
  await world.passing(eventually(() => expect(read).toHaveLength(2 * COUNT)));
  await world.passing(eventually(() => expect(new Set(handled)).toEqual(new Set(ofWork))));
  // Offsets without gaps, each read once and in order.
  for (const { name } of [disk, shared]) {
    const order = Array.from({ length: COUNT }, (_, offset) => `${name}/0/${offset}`);
    expect(
      read.filter((id) => id.startsWith(`${name}/`)),
      `seed ${seed}`,
    ).toEqual(order);
  }
  expect(handled, `seed ${seed}`).toHaveLength(COUNT);
  await world.passing(Promise.all([...readers, ...members].map((consumer) => consumer.close())));
  await Promise.all(loops);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test('every kind of message of the product is among the forged ones', () => {
  const kinds = fc
    .sample(anyMessage({ topicId: 't', groupId: 'g' }), { seed: 1, numRuns: 2_000 })
    .map((message) => (message as { kind?: unknown } | null | undefined)?.kind);
  for (const kind of FORGED_KINDS) expect(kinds).toContain(kind);
});

test('a hint that records are gone makes nothing remembered of partitions that do not exist', async () => {
  const world = new World();
  const broker = world.broker();
  const orders = await broker.create('orders');
  await broker.append(orders, 'a');
  const doubted: string[] = [];
  const spy = vi.spyOn(TailCache.prototype, 'doubt');
  onTestFinished(() => spy.mockRestore());
  spy.mockImplementation((topicId, partition) => void doubted.push(`${topicId}/${partition}`));
  const hints = channel(`${PROTOCOL_VERSION}/${world.name}`);
  const trimmed = (topicId: string, partition: number): void =>
    hints.postMessage({ kind: 'trimmed', topicId, partition });
  for (let i = 0; i < 50; i++) trimmed('nobody', i);
  for (let i = 1; i < 50; i++) trimmed(orders.id, i);
  trimmed(orders.id, 0);
  await eventually(() => expect(doubted).toContain(`${orders.id}/0`));
  await settle();
  expect(doubted).toEqual([`${orders.id}/0`]);
});

test('of those that dial the topics in memory and say nothing, the oldest are let go', async () => {
  const world = new World();
  const broker = world.broker();
  const shop = await broker.create('shared', 1, { storage: 'memory' });
  await broker.append(shop, 'a');
  const [, name] = (await channelsOf(world)) as [string, string];
  const dialing = channel(name);
  const answers: string[] = [];
  dialing.addEventListener('message', ({ data }: MessageEvent<{ kind: string; at: string }>) => {
    if (data.kind === 'answer') answers.push(data.at);
  });
  dialing.postMessage({ kind: 'call', from: 'forged 0' });
  await eventually(() => expect(answers).toHaveLength(1));
  let ended = 0;
  channel(`${name}/${answers[0]}`).addEventListener('message', () => ended++);
  const bound = 256;
  for (let i = 1; i < bound; i++) dialing.postMessage({ kind: 'call', from: `forged ${i}` });
  await eventually(() => expect(answers).toHaveLength(bound));
  await settle();
  expect(ended).toBe(0);
  dialing.postMessage({ kind: 'call', from: 'one more' });
  await eventually(() => expect(ended).toBe(1));
  // Who means it is served all the same.
  const other = world.broker();
  expect(await other.append(shop, 'b')).toBe(1);
});
