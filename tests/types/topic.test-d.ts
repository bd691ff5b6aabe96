import * as v from 'valibot';
import { describe, expectTypeOf, test } from 'vitest';
import {
  bytes,
  double,
  float,
  integer,
  json,
  long,
  short,
  string,
  topic,
} from '../../src/index.ts';
import type {
  BytesOrText,
  DecodeContext,
  EncodeContext,
  Header,
  HeaderToSend,
  KeyInput,
  MessageOf,
  Serde,
  SimpleSerde,
  StandardSchema,
  Topic,
  ValueInput,
} from '../../src/index.ts';

interface Order {
  id: string;
  qty: number;
}

describe('topic', () => {
  test('has its name, key and value in its type', () => {
    const orders = topic('orders', { key: string(), value: json<Order>(), partitions: 4 });
    expectTypeOf(orders).toEqualTypeOf<Topic<'orders', string, Order>>();
    expectTypeOf(orders.name).toEqualTypeOf<'orders'>();
    expectTypeOf<KeyInput<typeof orders>>().toEqualTypeOf<string>();
    expectTypeOf<ValueInput<typeof orders>>().toEqualTypeOf<Order>();
  });

  test('takes bytes and text where no serde is given, and gives bytes', () => {
    type Plain = Topic<'t', Uint8Array, Uint8Array, BytesOrText, BytesOrText>;
    const plain = topic('t');
    expectTypeOf(plain).toEqualTypeOf<Plain>();
    expectTypeOf<KeyInput<typeof plain>>().toEqualTypeOf<BytesOrText>();
    expectTypeOf<ValueInput<typeof plain>>().toEqualTypeOf<BytesOrText>();
    expectTypeOf<MessageOf<typeof plain>>().toEqualTypeOf<MessageOf<'t'>>();
    const keyed = topic('t', { key: long() });
    expectTypeOf(keyed).toEqualTypeOf<Topic<'t', bigint, Uint8Array, bigint, BytesOrText>>();
    expectTypeOf<KeyInput<typeof keyed>>().toEqualTypeOf<bigint>();
    const orders = topic('orders', { value: json<Order>() });
    expectTypeOf<KeyInput<typeof orders>>().toEqualTypeOf<BytesOrText>();
    expectTypeOf<ValueInput<typeof orders>>().toEqualTypeOf<Order>();
    expectTypeOf<MessageOf<typeof orders>['key']>().toEqualTypeOf<Uint8Array | null>();
    expectTypeOf<MessageOf<typeof orders>['value']>().toEqualTypeOf<Order | null>();
  });

  test('takes bytes alone where the serde says so', () => {
    const raw = topic('t', { key: bytes(), value: bytes() });
    expectTypeOf(raw).toEqualTypeOf<Topic<'t', Uint8Array, Uint8Array>>();
    expectTypeOf<KeyInput<typeof raw>>().toEqualTypeOf<Uint8Array>();
  });

  test('a plain name takes bytes and text', () => {
    expectTypeOf<KeyInput<'t'>>().toEqualTypeOf<Uint8Array | string>();
    expectTypeOf<ValueInput<'t'>>().toEqualTypeOf<Uint8Array | string>();
  });

  test('refuses what it does not know', () => {
    // @ts-expect-error a misspelt option
    topic('t', { partition: 3 });
    // @ts-expect-error no number
    topic('t', { partitions: '3' });
    // @ts-expect-error no such time
    topic('t', { timestampType: 'now' });
    // @ts-expect-error a serde that was not called
    topic('t', { value: string });
    // @ts-expect-error no serde
    topic('t', { value: 'json' });
    // @ts-expect-error undefined is not the same as left out
    topic('t', { partitions: undefined });
    // @ts-expect-error no name
    topic();
  });
});

describe('serdes', () => {
  test('say what they take and give', () => {
    expectTypeOf(string()).toEqualTypeOf<SimpleSerde<string>>();
    expectTypeOf(bytes()).toEqualTypeOf<SimpleSerde<Uint8Array>>();
    expectTypeOf(short()).toEqualTypeOf<SimpleSerde<number>>();
    expectTypeOf(integer()).toEqualTypeOf<SimpleSerde<number>>();
    expectTypeOf(long()).toEqualTypeOf<SimpleSerde<bigint>>();
    expectTypeOf(float()).toEqualTypeOf<SimpleSerde<number>>();
    expectTypeOf(double()).toEqualTypeOf<SimpleSerde<number>>();
    expectTypeOf(json<Order>()).toEqualTypeOf<SimpleSerde<Order>>();
    expectTypeOf(json()).toEqualTypeOf<SimpleSerde<unknown>>();
    // @ts-expect-error a long is a bigint
    long().encode(5);
  });

  test('json takes its type from a schema', () => {
    const schema = v.object({ id: v.string(), qty: v.number() });
    expectTypeOf(json(schema)).toEqualTypeOf<SimpleSerde<Order>>();
    const handMade: StandardSchema<Order> = {
      '~standard': { version: 1, vendor: 'tests', validate: () => ({ issues: [] }) },
    };
    expectTypeOf(json(handMade)).toEqualTypeOf<SimpleSerde<Order>>();
    expectTypeOf(topic('t', { value: json(schema) })).toEqualTypeOf<
      Topic<'t', Uint8Array, Order, BytesOrText, Order>
    >();
    // @ts-expect-error no schema
    json({});
  });

  test('a schema must not transform', () => {
    const transforming = v.pipe(v.string(), v.transform(Number));
    // @ts-expect-error it takes a string and gives a number
    json(transforming);
  });

  test('have a context, and may wait for a promise', () => {
    const schemas = new Map<number, { parse(text: string): Order }>();
    const load = async (id: number): Promise<void> => void schemas.delete(id);
    const order: Serde<Order> = {
      encode(value, context) {
        expectTypeOf(context).toEqualTypeOf<EncodeContext>();
        expectTypeOf(context.topic).toEqualTypeOf<string>();
        expectTypeOf(context.field).toEqualTypeOf<'key' | 'value'>();
        expectTypeOf(context.headers).toEqualTypeOf<readonly HeaderToSend[]>();
        context.setHeader('schema', Uint8Array.of(1));
        // @ts-expect-error no text, bytes or null
        context.setHeader('schema', 1);
        return JSON.stringify(value);
      },
      decode(bytes, context) {
        expectTypeOf(context).toEqualTypeOf<DecodeContext>();
        expectTypeOf(context.headers).toEqualTypeOf<readonly Header[]>();
        // Headers are set when a record is sent.
        expectTypeOf(context).not.toHaveProperty('setHeader');
        const schema = schemas.get(bytes[0]!) ?? context.waitFor(load(bytes[0]!));
        expectTypeOf(schema).toEqualTypeOf<{ parse(text: string): Order }>();
        // @ts-expect-error no promise
        context.waitFor(5);
        return schema.parse(new TextDecoder().decode(bytes));
      },
    };
    expectTypeOf(topic('t', { value: order })).toExtend<Topic>();
    // @ts-expect-error it may need a context
    order.encode({ id: '', qty: 1 });
    expectTypeOf(json<Order>().encode({ id: '', qty: 1 })).toEqualTypeOf<Uint8Array | string>();
  });

  test('one of your own fits', () => {
    const date: Serde<Date> = {
      encode: (value) => value.toISOString(),
      decode: (read) => new Date(new TextDecoder().decode(read)),
    };
    expectTypeOf(topic('t', { value: date })).toEqualTypeOf<
      Topic<'t', Uint8Array, Date, BytesOrText, Date>
    >();
    // @ts-expect-error it must give bytes or text
    topic('t', { value: { encode: () => 5, decode: () => 5 } });
  });
});
