import { describe, expect, test } from 'vitest';
import type { Sink, SinkBatch, SinkSource } from '../../src/connect.ts';
import { natsSink } from '../../src/nats.ts';
import type { NatsSinkOptions } from '../../src/nats.ts';
import { useNats } from './nats-fixture.ts';

const nats = useNats();
const context = { signal: new AbortController().signal, next: 0 };

const source: SinkSource = {
  id: 'server/a1-b2/0',
  connector: 'server',
  log: 'shop',
  topic: 'orders',
  partition: 0,
};

/** A record for each value, from the offset on. */
function batchOf(from: number, ...values: readonly unknown[]): SinkBatch {
  const records = values.map((value, i) => ({
    id: `a1-b2-0-${from + i}`,
    topic: 'orders',
    offset: from + i,
    timestamp: 1_700_000_000_000,
    key: `key ${from + i}`,
    value,
    headers: [['trace', new TextEncoder().encode('x')]] as const,
  }));
  return { source, from, to: from + values.length, records };
}

function sinkTo(stream: string, options: Partial<NatsSinkOptions> = {}): Sink {
  const subject = ({ partition }: SinkSource): string => `${stream}.${partition}`;
  return natsSink({ connection: nats.connection, stream, subject, ...options });
}

async function messagesOf(stream: string): Promise<readonly unknown[]> {
  const { state } = await nats.manager.streams.info(stream);
  const messages = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    messages.push((await nats.manager.streams.getMessage(stream, { seq }))!.json());
  }
  return messages;
}

describe('a sink to JetStream', () => {
  test('stands where its last message says, in whichever tab', async () => {
    const stream = await nats.newStream();
    const sink = sinkTo(stream);
    expect(await sink.position!(source, context)).toBeUndefined();
    expect(await sink.put(batchOf(0, 'a', 'b'), context)).toBe(2);
    const other = sinkTo(stream);
    expect(await other.position!(source, context)).toBe(2);
    expect(await other.put(batchOf(2, 'c'), context)).toBe(3);
    expect(await messagesOf(stream)).toMatchObject([
      [{ value: 'a' }, { value: 'b' }],
      [{ value: 'c' }],
    ]);
  });

  test('is fenced where another tab has published, and then stores nothing', async () => {
    const stream = await nats.newStream();
    const [late, next] = [sinkTo(stream), sinkTo(stream)];
    await late.position!(source, context);
    await next.position!(source, context);
    await next.put(batchOf(0, 'a'), context);
    await expect(late.put(batchOf(0, 'a'), context)).rejects.toMatchObject({
      kind: 'fenced',
    });
    expect(await messagesOf(stream)).toHaveLength(1);
  });

  test('has a message of each record, whose key and headers are headers', async () => {
    const stream = await nats.newStream();
    const sink = sinkTo(stream, { message: 'record' });
    await sink.position!(source, context);
    const batch = batchOf(5, 'a', 'b');
    expect(await sink.put(batch, context)).toBe(6);
    expect(await sink.put({ ...batch, from: 6, records: batch.records.slice(1) }, context)).toBe(7);
    expect(await messagesOf(stream)).toEqual(['a', 'b']);
    const last = await nats.manager.streams.getMessage(stream, { last_by_subj: `${stream}.0` });
    expect([last!.header.get('Tablog-Offset'), last!.header.get('Tablog-Key')]).toEqual([
      '6',
      'key 6',
    ]);
    expect(last!.header.get('trace')).toBe('x');
  });

  test('refuses what is too large in bytes, whatever its characters', async () => {
    const stream = await nats.newStream();
    const sink = sinkTo(stream);
    await sink.position!(source, context);
    const limit = nats.connection.info!.max_payload;
    const wide = 'é'.repeat(limit / 2); // as many characters as half of the bytes allowed
    await expect(sink.put(batchOf(0, wide), context)).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(`the server takes ${limit}`),
    });
    expect(await sink.put(batchOf(0, wide.slice(1_000)), context)).toBe(1);
  });

  test('ends at a subject of another source, and at a stream that is not there', async () => {
    const stream = await nats.newStream();
    const sink = sinkTo(stream, { subject: () => `${stream}.all` });
    await sink.position!(source, context);
    await sink.put(batchOf(0, 'a'), context);
    const other = { ...source, id: 'server/c3-d4/0' };
    await expect(sink.position!(other, context)).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringContaining('another source'),
    });
    const nowhere = sinkTo('nowhere');
    await expect(nowhere.position!(source, context)).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringContaining('stream not found'),
    });
  });
});
