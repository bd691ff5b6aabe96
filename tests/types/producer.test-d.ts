import { describe, expectTypeOf, test } from 'vitest';
import {
  SendBatchError,
  TablogError,
  json,
  long,
  openLog,
  string,
  topic,
} from '../../src/index.ts';
import type {
  ErrorCode,
  Log,
  Partitioner,
  PartitionerInput,
  RawMetadata,
  RecordMetadata,
  Producer,
} from '../../src/index.ts';
import { inline } from '../../src/inline.ts';

interface Order {
  id: string;
  qty: number;
}

const orders = topic('orders', { key: string(), value: json<Order>() });
const counts = topic('counts', { key: long(), value: long() });

declare const log: Log;
declare const producer: Producer;

const value: Order = { id: 'o1', qty: 2 };

describe('send', () => {
  test('takes the key and value of its topic', () => {
    expectTypeOf(producer.send(orders, { key: 'u1', value })).toEqualTypeOf<
      Promise<RecordMetadata>
    >();
    void producer.send(orders, { value });
    void producer.send(orders, { key: null, value: null });
    void producer.send(counts, { key: 1n, value: 2n });
    // @ts-expect-error a wrong key
    void producer.send(orders, { key: 5, value });
    // @ts-expect-error a wrong value
    void producer.send(orders, { value: { id: 'o1', qty: 'many' } });
    // @ts-expect-error a property is missing
    void producer.send(orders, { value: { id: 'o1' } });
    // @ts-expect-error a property is too many
    void producer.send(orders, { value: { id: 'o1', qty: 1, price: 3 } });
    // @ts-expect-error a long is a bigint
    void producer.send(counts, { value: 5 });
  });

  test('wants a value, which is not undefined', () => {
    // @ts-expect-error undefined
    void producer.send(orders, { value: undefined });
    // @ts-expect-error none
    void producer.send(orders, { key: 'u1' });
    // @ts-expect-error no record
    void producer.send(orders);
    const maybe = value as Order | undefined;
    // @ts-expect-error it may be undefined
    void producer.send(orders, { value: maybe });
  });

  test('takes bytes or text for a plain name', () => {
    void producer.send('plain', { key: 'k', value: new Uint8Array() });
    void producer.send('plain', { key: new Uint8Array(), value: 'v' });
    // @ts-expect-error no object
    void producer.send('plain', { value: { id: 'o1' } });
    // @ts-expect-error no number
    void producer.send('plain', { key: 5, value: 'v' });
  });

  test('takes headers, partition and timestamp', () => {
    void producer.send(orders, { value, headers: { a: 'x', b: new Uint8Array(), c: null } });
    void producer.send(orders, {
      value,
      headers: [
        ['a', 'x'],
        ['a', null],
      ],
    });
    void producer.send(orders, { value, headers: new Map([['a', 'x']]) });
    void producer.send(orders, { value, partition: 1, timestamp: new Date() });
    void producer.send(orders, { value, timestamp: Date.now() });
    // @ts-expect-error a header is text, bytes or null
    void producer.send(orders, { value, headers: { a: 5 } });
    // @ts-expect-error misspelt
    void producer.send(orders, { value, header: {} });
    // @ts-expect-error text is no time
    void producer.send(orders, { value, timestamp: '2026-01-01' });
    // @ts-expect-error text is no partition
    void producer.send(orders, { value, partition: '1' });
  });

  test('sendBatch takes many of them', () => {
    expectTypeOf(producer.sendBatch(orders, [{ value }])).toEqualTypeOf<
      Promise<RecordMetadata[]>
    >();
    // @ts-expect-error one of them is wrong
    void producer.sendBatch(orders, [{ value }, { value: 'v' }]);
    // @ts-expect-error no array
    void producer.sendBatch(orders, { value });
  });

  test('takes the offset that the record is to get, in the record', () => {
    void producer.send(orders, { key: 'u1', value, expectedOffset: 7 });
    void producer.sendBatch(orders, [{ value }, { value, partition: 0, expectedOffset: 7 }]);
    // @ts-expect-error it is no option
    void producer.send(orders, { key: 'u1', value }, { expectedOffset: 7 });
    // @ts-expect-error text is no offset
    void producer.send(orders, { key: 'u1', value, expectedOffset: '7' });
  });

  test('takes a signal', () => {
    const { signal } = new AbortController();
    void producer.send(orders, { value }, { signal });
    void producer.sendBatch(orders, [{ value }], { signal });
    void producer.flush({ signal });
    void producer.transaction((tx) => tx.send(orders, { value }), { signal });
    // @ts-expect-error a controller is no signal
    void producer.send(orders, { value }, { signal: new AbortController() });
    // @ts-expect-error misspelt
    void producer.flush({ signals: signal });
  });
});

test('sendRaw takes bytes, and tells the place of each batch', () => {
  expectTypeOf(producer.sendRaw(orders, 0, new Uint8Array())).toEqualTypeOf<
    Promise<RawMetadata[]>
  >();
  void producer.sendRaw('plain', 0, new ArrayBuffer(), { expectedOffset: 7 });
  expectTypeOf<RawMetadata>().toExtend<RecordMetadata>();
  // @ts-expect-error text is no bytes
  void producer.sendRaw(orders, 0, 'bytes');
  // @ts-expect-error no partition
  void producer.sendRaw(orders, new Uint8Array());
});

test('an error of sendBatch tells of each record', () => {
  const error: unknown = undefined;
  if (!(error instanceof SendBatchError)) return;
  expectTypeOf(error).toExtend<TablogError>();
  for (const result of error.results) {
    if (result instanceof TablogError) expectTypeOf(result.code).toEqualTypeOf<ErrorCode>();
    else expectTypeOf(result).toEqualTypeOf<RecordMetadata>();
  }
});

test('options', () => {
  log.producer({ lingerMs: 5, batchBytes: 1, bufferBytes: 1, compression: 'gzip' });
  log.producer({ compression: 'lz4' });
  log.producer({ compression: 'snappy' });
  log.producer({ durability: 'strict' });
  // @ts-expect-error misspelt
  log.producer({ linger: 5 });
  // @ts-expect-error no such codec
  log.producer({ compression: 'zstd' });
  // @ts-expect-error no such promise
  log.producer({ durability: 'none' });
});

test('a partitioner sees encoded fields and gives a number', () => {
  const partitioner: Partitioner = (record) => {
    expectTypeOf(record).toEqualTypeOf<PartitionerInput>();
    expectTypeOf(record.key).toEqualTypeOf<Uint8Array | string | null>();
    expectTypeOf(record.value).toEqualTypeOf<Uint8Array | string | null>();
    expectTypeOf(record.topic).toEqualTypeOf<string>();
    expectTypeOf(record.timestamp).toEqualTypeOf<number>();
    return record.partitions - 1;
  };
  log.producer({ partitioner });
  // @ts-expect-error text is no partition
  log.producer({ partitioner: () => '0' });
  // @ts-expect-error it is not awaited
  log.producer({ partitioner: async () => 0 });
});

test('a placement is of numbers', () => {
  expectTypeOf<RecordMetadata>().toEqualTypeOf<{
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly timestamp: number;
  }>();
});

test('openLog and inline', () => {
  expectTypeOf(openLog('shop')).toEqualTypeOf<Promise<Log>>();
  void openLog('shop', { host: inline({ storage: 'memory' }) });
  void openLog('shop', { host: 'dedicated', workerUrl: new URL('https://example.com') });
  // @ts-expect-error misspelt
  void openLog('shop', { url: '' });
  // @ts-expect-error no such host
  void openLog('shop', { host: 'inline' });
  // @ts-expect-error no such storage
  inline({ storage: 'disk' });
  expectTypeOf<Log>().toExtend<AsyncDisposable>();
  expectTypeOf<Producer>().toExtend<AsyncDisposable>();
});
