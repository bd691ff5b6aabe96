import { jetstream } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectSource } from '../../src/connect.ts';
import type { Source, SourceBatch } from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import { natsSource } from '../../src/nats.ts';
import type { NatsSourceOptions } from '../../src/nats.ts';
import { logWith, readAll } from '../support/log-fixture.ts';
import { eventually } from '../support/waiting.ts';
import { readingUntil, upTo } from './connector-fixture.ts';
import { useNats } from './nats-fixture.ts';

const nats = useNats();

async function publish(stream: string, from: number, to: number, subject = 'a'): Promise<void> {
  const client = jetstream(nats.connection);
  const message = (i: number) =>
    client.publish(`${stream}.${subject}`, JSON.stringify(i), { msgID: `${stream}/${i}` });
  // The server may be on its way back; it drops a message that it has.
  for (let i = from; i < to; i++) await message(i).catch(async () => eventually(() => message(i)));
}

function sourceOf(stream: string, options: Partial<NatsSourceOptions> = {}): Source {
  return natsSource({ connection: nats.connection, stream, ...options });
}

/** Reads up to `count` records behind the position; resolves to the values, and the last position. */
async function take(
  source: Source,
  count: number,
  position?: string,
): Promise<readonly [unknown[], string | undefined]> {
  const aborter = new AbortController();
  const values: unknown[] = [];
  let at = position;
  for await (const batch of source.read(position, readingUntil(aborter))) {
    values.push(...batch.records.map(({ value }) => value));
    at = batch.position;
    if (values.length >= count) aborter.abort();
  }
  return [values, at];
}

describe('a source of JetStream', () => {
  test('reads from the beginning, and goes on exactly behind the position', async () => {
    const stream = await nats.newStream();
    await publish(stream, 0, 20);
    const [values, position] = await take(sourceOf(stream), 20);
    expect(values).toEqual(upTo(20));
    expect(position).toMatch(/^20@/);
    await publish(stream, 20, 25);
    expect((await take(sourceOf(stream), 5, position))[0]).toEqual([20, 21, 22, 23, 24]);
  });

  test('waits for what comes, and has it with its time', async () => {
    const stream = await nats.newStream();
    const aborter = new AbortController();
    const reading = (async (): Promise<SourceBatch | undefined> => {
      for await (const batch of sourceOf(stream).read(undefined, readingUntil(aborter))) {
        return batch;
      }
      return undefined;
    })();
    const before = Date.now();
    await publish(stream, 7, 8);
    const batch = await reading;
    expect(batch?.records[0]?.value).toBe(7);
    expect(Math.abs(batch!.records[0]!.timestamp! - before)).toBeLessThan(10_000);
    aborter.abort();
  });

  test('reads one subject of several', async () => {
    const stream = await nats.newStream();
    for (let i = 0; i < 6; i++) await publish(stream, i, i + 1, i % 2 === 0 ? 'even' : 'odd');
    const source = sourceOf(stream, { subject: `${stream}.even` });
    const [values, position] = await take(source, 3);
    expect(values).toEqual([0, 2, 4]);
    await publish(stream, 6, 7, 'even');
    expect((await take(source, 1, position))[0]).toEqual([6]);
  });

  // A server that was killed is missed after some seconds, four times.
  test(
    'stores each message once, in order, while the server is killed',
    { timeout: 120_000 },
    async () => {
      const stream = await nats.newStream();
      const numbers = topic('numbers', { value: json<number>(), partitions: 1 });
      const log = await logWith(numbers);
      const options = { name: 'market', topic: numbers, source: sourceOf(stream) };
      const connector = connectSource(log, { ...options, backoffMs: 5, maxBackoffMs: 50 });
      onTestFinished(() => connector.close());
      for (let i = 0; i < 4; i++) {
        await publish(stream, i * 50, (i + 1) * 50);
        await nats.server.kill();
        await nats.server.start();
      }
      await expect
        .poll(async () => (await connector.status()).stored, { timeout: 110_000 })
        .toBe(200);
      expect((await readAll(log, numbers)).map(({ value }) => value)).toEqual(upTo(200));
    },
  );

  test.each([0, 3, 9])(
    'says that the stream is another one, which has %i messages',
    async (count) => {
      const stream = await nats.newStream();
      await publish(stream, 0, 5);
      const [, position] = await take(sourceOf(stream), 5);
      await nats.manager.streams.delete(stream);
      await nats.manager.streams.add({ name: stream, subjects: [`${stream}.>`] });
      await publish(stream, 0, count);
      await expect(take(sourceOf(stream), 1, position)).rejects.toMatchObject({
        kind: 'fatal',
        message: /was deleted, and created again at .*connect the source under another name/,
      });
    },
  );

  test.each([0, 9])(
    'says so also while it reads, where the new one has %i messages',
    async (count) => {
      const stream = await nats.newStream();
      await publish(stream, 0, 5);
      const values: unknown[] = [];
      const reading = (async (): Promise<void> => {
        for await (const { records } of sourceOf(stream).read(
          undefined,
          readingUntil(new AbortController()),
        )) {
          values.push(...records.map(({ value }) => value));
        }
      })();
      const failure = expect(reading).rejects.toMatchObject({ kind: 'fatal' });
      await eventually(() => values.length === 5);
      await nats.manager.streams.delete(stream);
      await nats.manager.streams.add({ name: stream, subjects: [`${stream}.>`] });
      await publish(stream, 0, count);
      await failure;
      expect(values).toEqual(upTo(5));
    },
  );

  test('says that the stream has lost its end', async () => {
    const stream = await nats.newStream();
    await publish(stream, 0, 5);
    const [, position] = await take(sourceOf(stream), 5);
    const beyond = position!.replace(/^5@/, '9@');
    await expect(take(sourceOf(stream), 1, beyond)).rejects.toMatchObject({
      kind: 'fatal',
      message: /ends at 5, and was read up to 9: it has lost its end/,
    });
  });

  test('says that there is no stream', async () => {
    await expect(take(sourceOf('none'), 1)).rejects.toMatchObject({
      kind: 'fatal',
      message: /there is no stream 'none': create it/,
    });
  });

  test('stops at a gap of retention, and goes on behind it where that is asked for', async () => {
    const stream = await nats.newStream({ max_msgs: 4 });
    await publish(stream, 0, 3);
    const [, position] = await take(sourceOf(stream), 3);
    await publish(stream, 3, 10);
    await expect(take(sourceOf(stream), 1, position)).rejects.toMatchObject({
      kind: 'fatal',
      message: /have removed 3 messages behind 3: pass onGap: 'skip'/,
    });
    const skipping = sourceOf(stream, { onGap: 'skip' });
    expect((await take(skipping, 4, position))[0]).toEqual([6, 7, 8, 9]);
    expect((await take(sourceOf(stream), 4))[0]).toEqual([6, 7, 8, 9]);
  });

  test('fails for good at a message that is no record, and names it', async () => {
    const stream = await nats.newStream();
    await jetstream(nats.connection).publish(`${stream}.a`, '{');
    await expect(take(sourceOf(stream), 1)).rejects.toMatchObject({
      kind: 'fatal',
      message: /toRecord\(\) failed for the message 1 of s\d+\.a/,
    });
  });
});

test.each<[string, object, RegExp]>([
  ['no connection', { stream: 's' }, /needs connection/],
  ['no stream', { connection: { publish: () => {} } }, /needs stream/],
  [
    'a stream that is a subject',
    { connection: { publish: () => {} }, stream: 'a.b' },
    /name of a stream.*a\.b/,
  ],
  [
    'a subject with spaces',
    { connection: { publish: () => {} }, stream: 's', subject: 'a b' },
    /must be a subject/,
  ],
  ['a gap', { connection: { publish: () => {} }, stream: 's', onGap: 'x' }, /onGap must be one of/],
])('natsSource() does not take %s', (_, options, message) => {
  expect(() => natsSource(options as NatsSourceOptions)).toThrow(message);
});
