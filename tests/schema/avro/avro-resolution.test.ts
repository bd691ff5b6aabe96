import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { incompatibilities } from '../../../src/schema/avro/avro-compatibility.ts';
import { parseAvro } from '../../../src/schema/avro/parse-avro.ts';
import { samples } from './avro-arbitraries.ts';
import { decode, encode, field, record } from './avro-fixture.ts';
import cases from './compatibility-cases.json' with { type: 'json' };

function reasons(reader: unknown, writer: unknown): string[] {
  return incompatibilities(parseAvro(reader), parseAvro(writer)).map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

const order = record('Order', field('id', 'string'), field('quantity', 'int'));

describe('what was written is read as the reader has it', () => {
  test.each<[string, unknown, unknown, unknown, unknown]>([
    ['a promotion', 'int', 5, 'double', 5],
    ['text as bytes', 'string', 'é', 'bytes', new TextEncoder().encode('é')],
    ['bytes as text', 'bytes', new TextEncoder().encode('é'), 'string', 'é'],
    ['a type into a union', 'int', 5, ['null', 'long'], 5],
    ['a union into a type', ['int', 'long'], 5, 'long', 5],
    [
      'fields in another order',
      order,
      { id: 'a', quantity: 1 },
      record('Order', field('quantity', 'long'), field('id', 'string')),
      { quantity: 1, id: 'a' },
    ],
    [
      'a field fewer',
      order,
      { id: 'a', quantity: 1 },
      record('Order', field('quantity', 'int')),
      { quantity: 1 },
    ],
    [
      'a field more',
      order,
      { id: 'a', quantity: 1 },
      record(
        'Order',
        field('id', 'string'),
        field('tags', { type: 'array', items: 'string' }, { default: [] }),
      ),
      { id: 'a', tags: [] },
    ],
    [
      'a field of another name, by its alias',
      order,
      { id: 'a', quantity: 1 },
      record('Order', field('count', 'int', { aliases: ['quantity'] })),
      { count: 1 },
    ],
    [
      'a record of another name, by its alias',
      order,
      { id: 'a', quantity: 1 },
      { ...record('Purchase', field('id', 'string')), aliases: ['Order'] },
      { id: 'a' },
    ],
    [
      'a symbol that the reader has not, as its default',
      { type: 'enum', name: 'E', symbols: ['A', 'B'] },
      'B',
      { type: 'enum', name: 'E', symbols: ['A'], default: 'A' },
      'A',
    ],
    [
      'a default of bytes',
      record('R'),
      {},
      record('R', field('b', 'bytes', { default: 'ÿ\u0000' })),
      { b: new Uint8Array([255, 0]) },
    ],
    [
      'another namespace',
      { ...order, namespace: 'a' },
      { id: 'a', quantity: 1 },
      { ...order, namespace: 'b' },
      { id: 'a', quantity: 1 },
    ],
  ])('%s', (_, writer, value, reader, expected) => {
    expect(reasons(reader, writer)).toEqual([]);
    expect(decode(writer, encode(writer, value), reader)).toEqual(expected);
  });

  test('a record that contains itself', () => {
    const v1 = record('Node', field('value', 'int'), field('next', ['null', 'Node']));
    const v2 = record(
      'Node',
      field('next', ['null', 'Node']),
      field('value', 'long'),
      field('name', 'string', { default: '' }),
    );
    expect(reasons(v2, v1)).toEqual([]);
    const bytes = encode(v1, { value: 1, next: { value: 2, next: null } });
    expect(decode(v1, bytes, v2)).toEqual({
      value: 1,
      name: '',
      next: { value: 2, name: '', next: null },
    });
  });
});

describe('each reason is told by its path', () => {
  test.each<[unknown, unknown, string[]]>([
    [
      order,
      record('Order', field('id', 'string')),
      ['.quantity: the field was not written, and has no default'],
    ],
    [
      record('Order', field('id', 'int'), field('more', 'int')),
      order,
      [
        '.id: string was written, and int is read',
        '.more: the field was not written, and has no default',
      ],
    ],
    [
      record('R', field('a', { type: 'array', items: record('L', field('n', 'int')) })),
      record('R', field('a', { type: 'array', items: record('L', field('n', 'long')) })),
      ['.a[].n: long was written, and int is read'],
    ],
    [
      { type: 'map', values: 'int' },
      { type: 'map', values: 'string' },
      ['{}: string was written, and int is read'],
    ],
    ['string', ['null', 'string'], [': null was written, and string is read']],
    [['null', 'string'], ['null', 'int'], [': int was written, and null or string is read']],
    [
      { type: 'enum', name: 'E', symbols: ['A'] },
      { type: 'enum', name: 'E', symbols: ['A', 'B', 'C'] },
      [': B, C can have been written, and there is no default'],
    ],
    [
      { type: 'fixed', name: 'F', size: 2 },
      { type: 'fixed', name: 'F', size: 3 },
      [': 3 bytes of F were written, and 2 are read'],
    ],
    [record('A'), record('B'), [': B was written, and A is read']],
  ])('%j reads %j', (reader, writer, expected) => {
    expect(reasons(reader, writer)).toEqual(expected);
  });
});

describe('the compatibility of a history:', () => {
  type Case = { name: string; new: unknown; history: unknown[] } & Record<string, unknown>;
  test.each(cases.cases as unknown as Case[])('$name', ({ new: next, history, ...verdicts }) => {
    const last = history.slice(-1);
    const back = (all: unknown[]): boolean => all.every((each) => reasons(next, each).length === 0);
    const forth = (all: unknown[]): boolean =>
      all.every((each) => reasons(each, next).length === 0);
    const found: Record<string, boolean> = {
      BACKWARD: back(last),
      BACKWARD_TRANSITIVE: back(history),
      FORWARD: forth(last),
      FORWARD_TRANSITIVE: forth(history),
      FULL: back(last) && forth(last),
    };
    const told = Object.entries(verdicts).filter(([kind]) => kind in found);
    expect(told.length).toBeGreaterThan(2);
    for (const [kind, verdict] of told) expect([kind, found[kind]]).toEqual([kind, verdict]);
  });
});

test('two schemas that are compatible are read without an error, and others as avsc reads them', () => {
  let compatible = 0;
  fc.assert(
    fc.property(fc.tuple(samples, samples), ([one, other]) => {
      const bytes = encode(one.schema, one.value);
      for (const reader of [other.schema, one.schema, ['null', 'boolean', one.schema].flat()]) {
        let isSound = true;
        try {
          parseAvro(reader);
        } catch {
          isSound = false; // the union has a branch twice
        }
        if (!isSound || reasons(reader, one.schema).length > 0) continue;
        compatible++;
        decode(one.schema, bytes, reader);
        const [type, writer] = [reader, one.schema].map((schema) =>
          avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false }),
        );
        expect(() => type!.createResolver(writer!)).not.toThrow();
      }
    }),
    { numRuns: 300 },
  );
  expect(compatible).toBeGreaterThan(300);
});
