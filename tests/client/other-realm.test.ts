import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { json, string, topic } from '../../src/index.ts';
import type { LogFile, Partitioner, StandardSchema } from '../../src/index.ts';
import { logWith, offsetsOf, take, texts } from '../support/log-fixture.ts';

/** What `source` is in a realm of its own: its classes are not those of this one. */
function elsewhere(source: string): unknown {
  return runInNewContext(source);
}

describe('values of another realm', () => {
  test('are of other classes', () => {
    expect(elsewhere('new Uint8Array(1)')).not.toBeInstanceOf(Uint8Array);
    expect(elsewhere('new Date()')).not.toBeInstanceOf(Date);
  });

  test('bytes are sent: as value, key and header, and by a serde', async () => {
    const odd = topic('odd', {
      value: {
        encode: () => elsewhere('Uint8Array.of(9)') as Uint8Array,
        decode: (bytes: Uint8Array) => bytes[0],
      },
    });
    const log = await logWith('t', odd);
    const producer = log.producer();
    const value = elsewhere('Uint8Array.of(104, 105)') as Uint8Array;
    await producer.send('t', { key: value, value, headers: { h: value } });
    await producer.send(odd, { value: 1 });
    const [message] = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 1);
    expect(texts([message!])).toEqual(['hi']);
    expect(new TextDecoder().decode(message!.key!)).toBe('hi');
    expect(message!.header('h')).toBe('hi');
    expect(message!.value).toBeInstanceOf(Uint8Array);
    const [own] = await take(log.consumer({ topics: [odd], from: 'earliest' }), 1);
    expect(own!.value).toBe(9);
  });

  test.each([
    ['a Uint8Array', () => Uint8Array.of(104, 105)],
    ['a Uint8Array of another realm', () => elsewhere('Uint8Array.of(104, 105)') as Uint8Array],
    ['a Node Buffer, whose slice() is no copy', () => Buffer.from('hi')],
  ])('%s that is changed after the call is stored as it was', async (_, make) => {
    const log = await logWith('t');
    const value = make();
    const sent = log.producer().send('t', { value }); // waits for its topic to be known
    value[0] = 0;
    await sent;
    expect(texts(await take(log.consumer({ topics: ['t'], from: 'earliest' }), 1))).toEqual(['hi']);
  });

  test('a Date is a timestamp, and a place', async () => {
    const log = await logWith('t');
    const timestamp = elsewhere('new Date(5000)') as Date;
    await log.producer().send('t', { value: 'early', timestamp: 1000 });
    await log.producer().send('t', { value: 'late', timestamp });
    const from = elsewhere('new Date(2000)') as Date;
    const [message] = await take(log.consumer({ topics: ['t'], from }), 1);
    expect(message!.timestamp).toBe(5000);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: from }]))).toEqual([1]);
  });

  test('a RegExp selects topics, with a group and without', async () => {
    const log = await logWith('t-1', 'u');
    await log.producer().send('t-1', { value: 'x' });
    const topics = [elsewhere('/^t-/g') as RegExp];
    for (const group of [{}, { group: 'g' }]) {
      const consumer = log.consumer({ topics, from: 'earliest', ...group });
      for await (const message of consumer) {
        expect(texts([message])).toEqual(['x']);
        break;
      }
      await consumer.close();
    }
  });

  test('an AbortSignal closes a consumer', async () => {
    const log = await logWith('t');
    const { signal, abort } = elsewhere(`
      const listeners = [];
      const signal = { aborted: false, addEventListener: (_, listener) => listeners.push(listener) };
      ({ signal, abort() { signal.aborted = true; for (const listener of listeners) listener(); } })`) as {
      signal: AbortSignal;
      abort: () => void;
    };
    const consumer = log.consumer({ topics: ['t'], signal });
    const read = take(consumer, 1);
    abort();
    expect(await read).toEqual([]);
  });

  test.each([
    ['an ArrayBuffer', 'Uint8Array.from(bytes).buffer'],
    ['a Uint8Array', 'Uint8Array.from(bytes)'],
  ])('%s is a log file', async (_, source) => {
    const log = await logWith('from', 'to');
    await log.producer().send('from', { value: 'x' });
    const bytes = [
      ...new Uint8Array(
        await new Response(
          log.admin.exportPartition({ topic: 'from', partition: 0 }),
        ).arrayBuffer(),
      ),
    ];
    const file = runInNewContext(source, { bytes }) as LogFile;
    expect(await log.admin.importPartition({ topic: 'to', partition: 0 }, file)).toMatchObject({
      records: 1,
    });
  });

  test('arrays and objects are options, records and configuration', async () => {
    const log = await logWith();
    const retention = elsewhere('({ ms: 86400000 })') as { ms: number };
    const protectUncommitted = elsewhere("['g']") as string[];
    await log.admin.createTopics([topic('t', { retention, protectUncommitted })]);
    await log
      .producer()
      .sendBatch('t', elsewhere("[{ value: 'a' }, { value: 'b' }]") as { value: string }[]);
    const [{ config }] = await log.admin.describeTopics(['t']);
    expect(config).toMatchObject({ retention: { ms: 86_400_000 }, protectUncommitted: ['g'] });
  });

  test('an Error of a partitioner is told with its text and cause', async () => {
    const log = await logWith('t');
    const partitioner = elsewhere("() => { throw new Error('no such place'); }") as Partitioner;
    const error = await log
      .producer({ partitioner })
      .send('t', { value: 'x' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toBe('no such place');
    expect((error as Error).cause).toMatchObject({ message: 'no such place' });
  });

  test('a promise of a schema is refused as any', async () => {
    const validate = elsewhere('async () => ({ value: 1 })') as never;
    const schema = { '~standard': { version: 1, vendor: 'v', validate } } as StandardSchema<number>;
    const numbers = topic('n', { key: string(), value: json(schema) });
    const log = await logWith(numbers);
    await expect(log.producer().send(numbers, { key: 'a', value: 1 })).rejects.toThrow(
      /validates asynchronously/,
    );
  });

  test.each([
    ['new Uint16Array(1)', 'value'],
    ['new ArrayBuffer(1)', 'value'],
    ['new Date(NaN)', 'timestamp'],
    ["({ [Symbol.toStringTag]: 'Date' })", 'timestamp'],
  ])('%s is refused as its like of this realm', async (source, field) => {
    const log = await logWith('t');
    const record = { value: 'x', [field]: elsewhere(source) };
    await expect(log.producer().send('t', record)).rejects.toThrow(/takes a|must be a/);
  });
});
