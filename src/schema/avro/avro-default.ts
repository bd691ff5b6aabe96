import { show } from '../../base/show.ts';
import type { AvroType, PrimitiveName } from './avro-type.ts';

/**
 * What is wrong with a default, which is JSON; `undefined`: nothing. Bytes are a text whose characters
 * are the bytes; the default of a union fits any branch (since Avro 1.12; before, the first).
 *
 * https://avro.apache.org/docs/1.12.0/specification/#schema-record
 */
export function checkDefault(type: AvroType, value: unknown): string | undefined {
  switch (type.type) {
    case 'union': {
      const fits = type.branches.some((branch) => checkDefault(branch, value) === undefined);
      return fits ? undefined : `${show(value)} is of no branch of the union`;
    }
    case 'record': {
      if (!isObject(value)) return `${show(value)} is no record`;
      for (const field of type.fields) {
        const own = value[field.name] === undefined ? field.default : value[field.name];
        const wrong = own === undefined ? 'there is none' : checkDefault(field.type, own);
        if (wrong !== undefined) return `${field.name}: ${wrong}`;
      }
      return undefined;
    }
    case 'array':
      if (!Array.isArray(value)) return `${show(value)} is no array`;
      return firstWrong(value.map((item) => checkDefault(type.items, item)));
    case 'map':
      if (!isObject(value)) return `${show(value)} is no map`;
      return firstWrong(Object.values(value).map((item) => checkDefault(type.values, item)));
    default:
      return fitsScalar(type, value) ? undefined : `${show(value)} is no ${type.type}`;
  }
}

/** The value that a default, which was checked, stands for: bytes are bytes, and integers can be large. */
export function valueOfDefault(type: AvroType, value: unknown): unknown {
  switch (type.type) {
    case 'union': {
      const branch = type.branches.find((each) => checkDefault(each, value) === undefined)!;
      return valueOfDefault(branch, value);
    }
    case 'record': {
      const given = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(
        type.fields.map((field) => {
          const own = given[field.name] === undefined ? field.default : given[field.name];
          return [field.name, valueOfDefault(field.type, own)];
        }),
      );
    }
    case 'array':
      return (value as readonly unknown[]).map((item) => valueOfDefault(type.items, item));
    case 'map':
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [
          key,
          valueOfDefault(type.values, item),
        ]),
      );
    case 'bytes':
    case 'fixed':
      return Uint8Array.from(value as string, (unit) => unit.charCodeAt(0));
    default:
      return value;
  }
}

type ScalarType = Exclude<AvroType, { type: 'union' | 'record' | 'array' | 'map' }>;

function fitsScalar(type: ScalarType, value: unknown): boolean {
  if (type.type === 'enum') return type.symbols.includes(value as string);
  if (type.type === 'fixed') return isByteText(value) && value.length === type.size;
  return PRIMITIVES[type.type](value);
}

const isNumber = (value: unknown): boolean => typeof value === 'number';

const PRIMITIVES: Readonly<Record<PrimitiveName, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  int: (value) => isNumber(value) && value === ((value as number) | 0),
  long: (value) => Number.isInteger(value),
  float: isNumber,
  double: isNumber,
  string: (value) => typeof value === 'string',
  bytes: isByteText,
};

function isByteText(value: unknown): value is string {
  return typeof value === 'string' && /^[\0-\u00ff]*$/.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstWrong(found: readonly (string | undefined)[]): string | undefined {
  const at = found.findIndex((wrong) => wrong !== undefined);
  return at < 0 ? undefined : `[${at}]: ${found[at]}`;
}
