import fc from 'fast-check';
import type { Arbitrary } from 'fast-check';

/** A schema of Avro as JSON, and a value of it. */
export interface Sample {
  readonly schema: unknown;
  readonly value: unknown;
}

const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const long = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 2 ** 28, -(2 ** 28) - 1, 2 ** 52, 1 - 2 ** 52, Number.MIN_SAFE_INTEGER),
);

/** The types without parts, and their values. */
const VALUES: Readonly<Record<string, Arbitrary<unknown>>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  int: fc.integer(),
  long,
  float: fc.float({ noNaN: true }),
  double: fc.double({ noNaN: true }),
  string: text,
  bytes: fc.uint8Array({ maxLength: 40 }),
};

const scalars = fc
  .constantFrom(...Object.keys(VALUES))
  .chain((schema) => VALUES[schema]!.map((value): Sample => ({ schema, value })));

/** Names that no other type of a schema has. */
let names = 0;
function nameOfNext(): string {
  return `N${names++}`;
}

/** A random schema with a value of it. A union has a null and one other type, so that a value tells its branch. */
export const samples: Arbitrary<Sample> = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalars,
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(4)).map(([count, chosen]): Sample => {
      const symbols = Array.from({ length: count }, (_, i) => `S${i}`);
      const schema = { type: 'enum', name: nameOfNext(), symbols };
      return { schema, value: symbols[chosen % count] };
    }),
    fc.uint8Array({ maxLength: 20 }).map((value): Sample => ({
      schema: { type: 'fixed', name: nameOfNext(), size: value.length },
      value,
    })),
    tie('sample').map(({ schema, value }): Sample => ({
      schema: { type: 'array', items: schema },
      value: [value, value],
    })),
    fc.tuple(tie('sample'), text).map(([{ schema, value }, key]): Sample => ({
      schema: { type: 'map', values: schema },
      value: { [`k${key}`]: value },
    })),
    fc.tuple(tie('sample'), fc.boolean()).map(([{ schema, value }, isNull]): Sample => {
      const isAlone = schema === 'null' || Array.isArray(schema);
      return isAlone
        ? { schema, value }
        : { schema: ['null', schema], value: isNull ? null : value };
    }),
    fc.array(tie('sample'), { maxLength: 5 }).map((parts): Sample => ({
      schema: {
        type: 'record',
        name: nameOfNext(),
        fields: parts.map(({ schema }, i) => ({ name: `f${i}`, type: schema })),
      },
      value: Object.fromEntries(parts.map(({ value }, i) => [`f${i}`, value])),
    })),
  ),
})).sample;
