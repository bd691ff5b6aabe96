import { AvroBytesError } from './avro-bytes.ts';
import type { AvroReader } from './avro-bytes.ts';
import { valueOfDefault } from './avro-default.ts';
import { findBranch, findField, isPromoted, matchError } from './avro-match.ts';
import type {
  AvroType,
  EnumType,
  FixedType,
  PrimitiveName,
  PrimitiveType,
  RecordType,
} from './avro-type.ts';
import { MAX_DEPTH, toLogical } from './avro-value.ts';

/** Reads a value that was written by one type, as another type has it. */
export type Decode = (from: AvroReader) => unknown;

/** The most items of no bytes in an array, as of nulls: bytes do not bound them. */
const MAX_EMPTY_ITEMS = 1_000_000;
export interface DecoderOptions {
  /** Whether a `long` is a bigint always. Default: a number, and an error beyond 2^53. */
  readonly bigints?: boolean;
}

/**
 * Makes functions that read what was written by one schema into another one's values (schema resolution),
 * from closures and without `eval`, which a Content-Security-Policy without `unsafe-eval` forbids.
 *
 * https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 */
export class DecoderFactory {
  readonly #bigints: boolean;
  /** By writer and reader, so that a record that contains itself ends. */
  readonly #known = new Map<AvroType, Map<AvroType, Decode>>();
  readonly #skips = new Map<AvroType, Decode>();
  #depth = 0;

  constructor({ bigints = false }: DecoderOptions = {}) {
    this.#bigints = bigints;
  }

  /**
   * Never throws: where the types do not match, the function throws when it is called, as a branch that is
   * never written does no harm.
   */
  decoderOf(writer: AvroType, reader: AvroType): Decode {
    const known = this.#known.get(writer) ?? new Map<AvroType, Decode>();
    this.#known.set(writer, known);
    const before = known.get(reader);
    if (before !== undefined) return before;
    known.set(reader, (from) => made(from));
    const made = this.#make(writer, reader);
    known.set(reader, made);
    return made;
  }

  #make(writer: AvroType, reader: AvroType): Decode {
    if (writer.type === 'union') {
      const decoders = writer.branches.map((branch) => this.decoderOf(branch, reader));
      return (from) => chosen(decoders, from)(from);
    }
    if (reader.type === 'union') {
      const branch = findBranch(reader, writer);
      return branch === undefined ? mismatch(writer, reader) : this.decoderOf(writer, branch);
    }
    if (writer.type === 'record' && reader.type === 'record') return this.#record(writer, reader);
    if (writer.type === 'enum' && reader.type === 'enum') return decodeEnum(writer, reader);
    if (writer.type === 'array' && reader.type === 'array') {
      return this.#array(this.decoderOf(writer.items, reader.items));
    }
    if (writer.type === 'map' && reader.type === 'map') {
      return this.#map(this.decoderOf(writer.values, reader.values));
    }
    if (isPromoted(writer, reader)) return this.#scalar(writer, reader);
    return mismatch(writer, reader);
  }

  #record(writer: RecordType, reader: RecordType): Decode {
    const wrong = matchError(writer, reader);
    if (wrong !== undefined) return fail(wrong);
    /** In the order of the bytes: the name that the reader has for a field; `undefined`: it has none. */
    const steps = writer.fields.map((field) => {
      const own = reader.fields.find((each) => findField(writer, each) === field);
      return own === undefined
        ? { name: undefined, decode: this.#skipOf(field.type) }
        : { name: own.name, decode: this.decoderOf(field.type, own.type) };
    });
    const missing = reader.fields.filter((field) => findField(writer, field) === undefined);
    const without = missing.find((field) => field.default === undefined);
    if (without !== undefined) {
      return fail(
        `${reader.name} has a field '${without.name}' without a default, which was not written`,
      );
    }
    const names = steps.map(({ name }) => name);
    const decoders = steps.map(({ decode }) => decode);
    const hasProto = reader.fields.some(({ name }) => name === '__proto__');
    return (from) => {
      const record: Record<string, unknown> = {};
      if (this.#depth >= MAX_DEPTH) {
        throw new AvroBytesError(`the value is nested more than ${MAX_DEPTH} records deep`);
      }
      this.#depth++;
      try {
        for (let i = 0; i < decoders.length; i++) {
          const value = decoders[i]!(from);
          const name = names[i];
          if (name === undefined) continue;
          if (hasProto) define(record, name, value);
          else record[name] = value;
        }
      } finally {
        this.#depth--;
      }
      for (const field of missing) {
        define(record, field.name, valueOfDefault(field.type, field.default));
      }
      return record;
    };
  }

  #array(decode: Decode): Decode {
    return (from) => {
      const items: unknown[] = [];
      eachItem(from, () => items.push(decode(from)));
      return items;
    };
  }

  #map(decode: Decode): Decode {
    return (from) => {
      const map: Record<string, unknown> = {};
      eachItem(from, () => {
        const key = from.string();
        const value = decode(from);
        if (key === '__proto__') define(map, key, value);
        else map[key] = value;
      });
      return map;
    };
  }

  #scalar(writer: AvroType, reader: AvroType): Decode {
    const type = reader as PrimitiveType | FixedType;
    const decode = this.#plain(writer as PrimitiveType | FixedType, type);
    const { logical } = type;
    return logical === undefined ? decode : (from) => toLogical(logical, type, decode(from));
  }

  #plain(writer: PrimitiveType | FixedType, reader: PrimitiveType | FixedType): Decode {
    if (writer.type === 'fixed') return (from) => from.fixed(writer.size);
    if (reader.type === 'long') {
      if (this.#bigints) return (from) => BigInt(from.long());
      return writer.type === 'int' ? PRIMITIVES.int : decodeLong;
    }
    if (writer.type === 'long') return (from) => Number(from.long());
    if (writer.type === 'bytes' && reader.type === 'string') return (from) => from.textOfBytes();
    if (writer.type === 'string' && reader.type === 'bytes') return PRIMITIVES.bytes;
    return PRIMITIVES[writer.type];
  }

  /** Passes over a value that the reader has no place for. */
  #skipOf(type: AvroType): Decode {
    const known = this.#skips.get(type);
    if (known !== undefined) return known;
    this.#skips.set(type, (from) => made(from));
    const made = this.#makeSkip(type);
    this.#skips.set(type, made);
    return made;
  }

  #makeSkip(type: AvroType): Decode {
    switch (type.type) {
      case 'union': {
        const skips = type.branches.map((branch) => this.#skipOf(branch));
        return (from) => chosen(skips, from)(from);
      }
      case 'record': {
        const skips = type.fields.map((field) => this.#skipOf(field.type));
        return (from) => {
          for (const skip of skips) skip(from);
        };
      }
      case 'array': {
        const skip = this.#skipOf(type.items);
        return (from) => eachItem(from, () => skip(from));
      }
      case 'map': {
        const skip = this.#skipOf(type.values);
        return (from) =>
          eachItem(from, () => {
            from.bytes();
            skip(from);
          });
      }
      case 'enum':
        return (from) => from.int();
      case 'string':
        return (from) => from.bytes(); // its text is nobody's
      default:
        return this.#plain(type, type);
    }
  }
}

function decodeEnum(writer: EnumType, reader: EnumType): Decode {
  const wrong = matchError(writer, reader);
  if (wrong !== undefined) return fail(wrong);
  const symbols = writer.symbols.map((symbol) =>
    reader.symbols.includes(symbol) ? symbol : reader.default,
  );
  return (from) => {
    const index = from.int();
    const symbol = symbols[index];
    if (symbol !== undefined) return symbol;
    const what = index in symbols ? `the symbol ${writer.symbols[index]}` : `no symbol ${index}`;
    throw new AvroBytesError(`${reader.name} has not ${what}, and no default`);
  };
}

const PRIMITIVES: Readonly<Record<PrimitiveName, Decode>> = {
  null: () => null,
  boolean: (from) => decodeBoolean(from),
  int: (from) => from.int(),
  long: (from) => decodeLong(from),
  float: (from) => from.float(),
  double: (from) => from.double(),
  bytes: (from) => from.bytes(),
  string: (from) => from.string(),
};

function decodeBoolean(from: AvroReader): boolean {
  const byte = from.byte();
  if (byte > 1) throw new AvroBytesError(`the bytes have ${byte} for a boolean`);
  return byte === 1;
}

function decodeLong(from: AvroReader): number {
  const value = from.long();
  if (typeof value === 'number') return value;
  throw new AvroBytesError(`a long of ${value} is no safe integer: read it with bigints: true`);
}

function chosen(decoders: readonly Decode[], from: AvroReader): Decode {
  const index = from.size();
  const decode = decoders[index];
  if (decode === undefined) throw new AvroBytesError(`the union has no branch ${index}`);
  return decode;
}

/** Calls `item` for each item of the blocks of an array or a map. */
function eachItem(from: AvroReader, item: () => unknown): void {
  let empty = 0;
  for (let count = blockOf(from); count > 0; count = blockOf(from)) {
    for (let i = 0; i < count; i++) {
      const { left } = from;
      item();
      if (from.left === left && ++empty > MAX_EMPTY_ITEMS) {
        throw new AvroBytesError(`more than ${MAX_EMPTY_ITEMS} items are of no bytes`);
      }
    }
  }
}

/** The number of items of the next block; one that is negative is followed by the block's bytes. */
function blockOf(from: AvroReader): number {
  const count = from.long();
  if (typeof count !== 'number') throw new AvroBytesError(`a block has ${count} items`);
  if (count >= 0) return count;
  from.size();
  return -count;
}

function mismatch(writer: AvroType, reader: AvroType): Decode {
  return fail(matchError(writer, reader) ?? 'the types do not match');
}

function fail(message: string): Decode {
  return () => {
    throw new AvroBytesError(message);
  };
}

/** As an own property, whatever the name: an assignment to `__proto__` would set the prototype. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
