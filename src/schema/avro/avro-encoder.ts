import { isBytes } from '../../base/brand.ts';
import type { AvroWriter } from './avro-bytes.ts';
import { valueOfDefault } from './avro-default.ts';
import type {
  AvroType,
  EnumType,
  FixedType,
  PrimitiveName,
  PrimitiveType,
  RecordType,
  UnionType,
} from './avro-type.ts';
import { AvroValueError, MAX_DEPTH, fromLogical, misfit, nameOf } from './avro-value.ts';

/** Writes a value of one type. Throws an `AvroValueError` with the path to the first misfit. */
export type Encode = (value: unknown, out: AvroWriter) => void;

/**
 * Makes functions that write values of parsed types, from closures and without `eval`, which a
 * Content-Security-Policy without `unsafe-eval` forbids.
 */
export class EncoderFactory {
  /** By type, so that a record that contains itself ends. */
  readonly #known = new Map<AvroType, Encode>();
  #depth = 0;

  encoderOf(type: AvroType): Encode {
    const known = this.#known.get(type);
    if (known !== undefined) return known;
    this.#known.set(type, (value, out) => made(value, out));
    const made = this.#make(type);
    this.#known.set(type, made);
    return made;
  }

  #make(type: AvroType): Encode {
    switch (type.type) {
      case 'record':
        return this.#record(type);
      case 'array':
        return this.#array(this.encoderOf(type.items));
      case 'map':
        return this.#map(this.encoderOf(type.values));
      case 'union':
        return this.#union(type);
      case 'enum':
        return encodeEnum(type);
      default:
        return encodeScalar(type);
    }
  }

  #record(type: RecordType): Encode {
    const names = type.fields.map(({ name }) => name);
    const encoders = type.fields.map((field) => this.encoderOf(field.type));
    const defaults = type.fields.map((field) =>
      field.default === undefined ? undefined : valueOfDefault(field.type, field.default),
    );
    return (value, out) => {
      if (typeof value !== 'object' || value === null) throw misfit(nameOf(type), value);
      const given = value as Readonly<Record<string, unknown>>;
      if (this.#depth >= MAX_DEPTH) {
        throw new AvroValueError(`it is nested more than ${MAX_DEPTH} records deep`);
      }
      let i = 0;
      this.#depth++;
      try {
        for (; i < names.length; i++) {
          const own = given[names[i]!];
          encoders[i]!(own === undefined ? defaults[i] : own, out);
        }
      } catch (error) {
        throw at(error, `.${names[i]}`);
      } finally {
        this.#depth--;
      }
    };
  }

  #array(encode: Encode): Encode {
    return (value, out) => {
      if (!Array.isArray(value)) throw misfit('an array', value);
      const { length } = value;
      if (length > 0) out.long(length);
      let i = 0;
      try {
        for (; i < length; i++) encode(value[i], out);
      } catch (error) {
        throw at(error, `[${i}]`);
      }
      out.byte(0);
    };
  }

  #map(encode: Encode): Encode {
    return (value, out) => {
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (!isMap) throw misfit('a map: an object of values', value);
      const entries = Object.entries(value);
      if (entries.length > 0) out.long(entries.length);
      for (const [key, item] of entries) {
        out.string(key);
        try {
          encode(item, out);
        } catch (error) {
          throw at(error, `[${JSON.stringify(key)}]`);
        }
      }
      out.byte(0);
    };
  }

  #union(type: UnionType): Encode {
    const { branches } = type;
    const encoders = branches.map((branch) => this.encoderOf(branch));
    const nullAt = branches.findIndex((branch) => branch.type === 'null');
    const others = branches.flatMap((branch, i) => (branch.type === 'null' ? [] : [i]));
    return (value, out) => {
      if (value === null && nullAt >= 0) return out.long(nullAt);
      // The only one tells what does not fit, and where.
      const chosen =
        others.length === 1 ? others[0]! : branches.findIndex((each) => fits(each, value));
      if (chosen < 0 || value === undefined) throw misfit(nameOf(type), value);
      out.long(chosen);
      encoders[chosen]!(value, out);
    };
  }
}

/** Whether a value is of a type: by which the branch of a union is found, the first that fits. */
function fits(type: AvroType, value: unknown): boolean {
  switch (type.type) {
    case 'union':
      return type.branches.some((branch) => fits(branch, value));
    case 'record': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      const given = value as Readonly<Record<string, unknown>>;
      return type.fields.every((field) => {
        const own = given[field.name];
        return own === undefined ? field.default !== undefined : fits(field.type, own);
      });
    }
    case 'array':
      return Array.isArray(value) && value.every((item) => fits(type.items, item));
    case 'map': {
      const isMap =
        typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value);
      return isMap && Object.values(value).every((item) => fits(type.values, item));
    }
    case 'enum':
      return typeof value === 'string' && type.symbols.includes(value);
    default:
      return fitsScalar(type, value);
  }
}

function fitsScalar(type: PrimitiveType | FixedType, value: unknown): boolean {
  try {
    const plain = type.logical === undefined ? value : fromLogical(type.logical, type, value);
    return scalarOf(type).is(plain);
  } catch {
    return false; // it is of no logical type of this kind
  }
}

function encodeEnum(type: EnumType): Encode {
  const indexes = new Map(type.symbols.map((symbol, i) => [symbol, i]));
  return (value, out) => {
    const index = indexes.get(value as string);
    if (index === undefined) throw misfit(`one of ${type.symbols.join(', ')}`, value);
    out.long(index);
  };
}

function encodeScalar(type: PrimitiveType | FixedType): Encode {
  const { logical } = type;
  const { what, is, write } = scalarOf(type);
  const encodePlain: Encode = (value, out) => {
    if (!is(value)) throw misfit(what, value);
    write(value, out);
  };
  if (logical === undefined) return encodePlain;
  return (value, out) => encodePlain(fromLogical(logical, type, value), out);
}

/** A type without parts: what its values are, and how they are written. */
interface Scalar {
  readonly what: string;
  readonly is: (value: unknown) => boolean;
  readonly write: Encode;
}

function scalarOf(type: PrimitiveType | FixedType): Scalar {
  if (type.type !== 'fixed') return SCALARS[type.type];
  const { size } = type;
  return {
    what: `a Uint8Array of ${size} bytes`,
    is: (value) => isBytes(value) && value.length === size,
    write: (value, out) => out.fixed(value as Uint8Array),
  };
}

const isNumber = (value: unknown): boolean => typeof value === 'number';

const SCALARS: Readonly<Record<PrimitiveName, Scalar>> = {
  null: { what: 'null', is: (value) => value === null, write() {} },
  boolean: {
    what: 'a boolean',
    is: (value) => typeof value === 'boolean',
    write: (value, out) => out.byte(value === true ? 1 : 0),
  },
  int: {
    what: 'an integer of 32 bits',
    is: (value) => isNumber(value) && value === ((value as number) | 0),
    write: (value, out) => out.long(value as number),
  },
  long: {
    what: 'a safe integer, or a bigint of 64 bits',
    is: (value) =>
      typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value),
    write: (value, out) =>
      typeof value === 'bigint' ? out.bigLong(value) : out.long(value as number),
  },
  float: {
    what: 'a number',
    is: isNumber,
    write: (value, out) => out.float(value as number),
  },
  double: {
    what: 'a number',
    is: isNumber,
    write: (value, out) => out.double(value as number),
  },
  string: {
    what: 'a string',
    is: (value) => typeof value === 'string',
    write: (value, out) => out.string(value as string),
  },
  bytes: {
    what: 'a Uint8Array',
    is: isBytes,
    write: (value, out) => out.bytes(value as Uint8Array),
  },
};

function at(error: unknown, step: string): unknown {
  return error instanceof AvroValueError ? error.within(step) : error;
}
