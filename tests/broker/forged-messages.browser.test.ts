import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { openLog, string, topic } from '../../src/index.ts';
import type { Consumer, Topic } from '../../src/index.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { anyMessage } from '../support/forged-messages.ts';

const text = { key: string(), value: string() };
const disk = topic('disk', text);
const shared = topic('shared', { ...text, storage: 'memory' });

const RECORDS = 100;
const FORGED = 3_000;

/** The offsets of the first records that the consumer gets. */
async function read(consumer: Consumer<Topic>): Promise<number[]> {
  const offsets: number[] = [];
  for await (const { offset } of consumer) if (offsets.push(offset) === RECORDS) break;
  return offsets;
}

test('two workers store and read all in order, whatever a script posts to their channels', async () => {
  const name = `forged-${crypto.randomUUID()}`;
  // A worker each, so that hints and topics in memory need the channels.
  const logs = [
    await openLog(name, { host: 'shared' }),
    await openLog(name, { host: 'dedicated' }),
  ];
  onTestFinished(async () => void (await Promise.all(logs.map((log) => log.close()))));
  const [one, two] = logs as [(typeof logs)[0], (typeof logs)[0]];
  await one.admin.createTopics([disk, shared]);
  const { logId } = await one.admin.describeLog();
  const channels = [`${PROTOCOL_VERSION}/${name}`, `memory/${logId}`].map(
    (of) => new BroadcastChannel(`tablog/${of}`),
  );
  onTestFinished(() => channels.forEach((channel) => channel.close()));
  const [{ id: topicId }] = await one.admin.describeTopics([disk]);
  const reading = [disk, shared].flatMap((of) =>
    logs.map((log) => read(log.consumer({ topics: [of as Topic], from: 'earliest' }))),
  );
  const members = logs.map((log) => log.consumer({ topics: [disk], group: 'g', from: 'earliest' }));
  const handled: number[] = [];
  const handling = members.map(async (member) => {
    for await (const { offset } of member) handled.push(offset);
  });
  await Promise.all(members.map(({ ready }) => ready));

  const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  const forged = fc.sample(anyMessage({ topicId, groupId: 'g' }), { seed, numRuns: FORGED });
  const share = Math.ceil(FORGED / RECORDS);
  for (let i = 0; i < RECORDS; i++) {
    for (const message of forged.slice(i * share, (i + 1) * share)) {
      try {
        for (const channel of channels) channel.postMessage(message);
      } catch {
        // What cannot be cloned cannot be posted.
      }
    }
    const producer = (i % 2 === 0 ? one : two).producer({ lingerMs: 0 });
    const record = { key: 'k', value: 'v' };
    const placed = await Promise.all([producer.send(disk, record), producer.send(shared, record)]);
    expect(placed.map(({ offset }) => offset)).toEqual([i, i]);
    await producer.close();
  }
  const all = Array.from({ length: RECORDS }, (_, offset) => offset);
  expect(await Promise.all(reading), `seed ${seed}`).toEqual(reading.map(() => all));
  await expect.poll(() => handled, { timeout: 10_000 }).toHaveLength(RECORDS);
  expect(handled).toEqual(all);
  await Promise.all(members.map((member) => member.close()));
  await Promise.all(handling);
});
