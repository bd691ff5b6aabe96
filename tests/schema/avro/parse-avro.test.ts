import { describe, expect, test } from 'vitest';
import { canonicalForm, fingerprint } from '../../../src/schema/avro/canonical-form.ts';
import { parseAvro } from '../../../src/schema/avro/parse-avro.ts';
import { field, record } from './avro-fixture.ts';

describe('a schema that breaks a rule is told with the place', () => {
  test.each<[unknown, string]>([
    ['{', '$: it is no JSON'],
    ['Order', '$: there is no type "Order"'],
    [5, '$: a type is a name, an object or an array, got 5'],
    [{ type: 'record', name: 'R' }, '$: a record has fields, an array'],
    [record('9'), '$: a name is of A-Z a-z 0-9 _ and dots, got "9"'],
    [record('int'), '$: int is the name of a primitive'],
    [
      record('R', field('a-b', 'int')),
      `$.fields[0]: a field's name is of A-Z a-z 0-9 _, got "a-b"`,
    ],
    [
      record('R', field('a', 'int'), field('a', 'int')),
      '$.fields[1]: the record has the field "a"',
    ],
    [record('R', field('a', 'strin')), '$.fields[0].type: there is no type "strin"'],
    [
      record('R', field('a', 'int', { default: 'x' })),
      '$.fields[0].default: it does not fit: "x" is no int',
    ],
    [record('R', field('a', record('R'))), '$.fields[0].type: R is defined twice'],
    [['int', ['string']], '$[1]: a union has no union in it'],
    [['int', 'int'], '$[1]: the union has int already'],
    [{ type: 'enum', name: 'E', symbols: [] }, '$: an enum has symbols'],
    [{ type: 'enum', name: 'E', symbols: ['A', 'A'] }, '$.symbols: a symbol is there twice'],
    [
      { type: 'enum', name: 'E', symbols: ['A'], default: 'B' },
      '$.default: "B" is none of the symbols',
    ],
    [{ type: 'fixed', name: 'F', size: -1 }, '$.size: a size is a number of bytes, got -1'],
    [{ type: 'array' }, '$.items: a type is a name, an object or an array, got undefined'],
  ])('%j', (schema, message) => {
    expect(() => parseAvro(schema)).toThrow(`the Avro schema is wrong at ${message}`);
  });

  test('one that is nested without end', () => {
    let schema: unknown = 'int';
    for (let i = 0; i < 1_000; i++) schema = { type: 'array', items: schema };
    expect(() => parseAvro(schema)).toThrow('more than 500 types deep');
  });
});

describe('the parsing canonical form', () => {
  // Cases and fingerprints of Apache's share/test/data/schema-tests.txt.
  test.each<[unknown, string, bigint | undefined]>([
    ['"null"', '"null"', 7_195_948_357_588_979_594n],
    [{ type: 'boolean' }, '"boolean"', -6_970_731_678_124_411_036n],
    ['int', '"int"', 8_247_732_601_305_521_295n],
    ['long', '"long"', -3_434_872_931_120_570_953n],
    ['float', '"float"', 5_583_340_709_985_441_680n],
    ['double', '"double"', -8_181_574_048_448_539_266n],
    ['bytes', '"bytes"', 5_746_618_253_357_095_269n],
    ['string', '"string"', -8_142_146_995_180_207_161n],
    [[], '[]', -1_241_056_759_729_112_623n],
    [['int'], '["int"]', -5_232_228_896_498_058_493n],
    [
      { fields: [], type: 'record', name: 'foo' },
      '{"name":"foo","type":"record","fields":[]}',
      -4_824_392_279_771_201_922n,
    ],
    [
      { fields: [], type: 'record', name: 'foo', namespace: 'x.y', doc: 'Useful info' },
      '{"name":"x.y.foo","type":"record","fields":[]}',
      5_916_914_534_497_305_771n,
    ],
    [
      {
        type: 'record',
        name: 'foo',
        fields: [{ type: 'int', name: 'f', default: 1, doc: 'd', order: 'ignore' }],
      },
      '{"name":"foo","type":"record","fields":[{"name":"f","type":"int"}]}',
      undefined,
    ],
    [
      {
        type: 'record',
        name: 'Node',
        namespace: 'n',
        fields: [{ name: 'next', type: ['null', 'Node'] }],
      },
      '{"name":"n.Node","type":"record","fields":[{"name":"next","type":["null","n.Node"]}]}',
      undefined,
    ],
  ])('%j', (schema, form, print) => {
    expect(canonicalForm(schema)).toBe(form);
    expect(canonicalForm(form)).toBe(form);
    if (print !== undefined) expect(BigInt.asIntN(64, fingerprint(schema))).toBe(print);
  });
});
