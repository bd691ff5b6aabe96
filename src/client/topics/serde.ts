import { mistake } from '../../base/argument.ts';
import { isBytes, isPromise } from '../../base/brand.ts';
import { errorMessage } from '../../base/error-text.ts';
import { show } from '../../base/show.ts';
import { readUtf8 } from '../../record/utf8.ts';
import type { DecodeContext, EncodeContext } from './serde-context.ts';

/**
 * Turns values into bytes and back (Kafka's `Serializer` and `Deserializer`). `encode` may return a
 * string, which is written into the batch as UTF-8 without an intermediate copy. `encode` throws a
 * `TypeError` or `RangeError` for a value that the serde cannot encode. `decode` is called when the
 * record is delivered, with a view into the fetched batch; `decode` must not keep or change the
 * view. An error that `decode` throws becomes the `cause` of a `SERDE` error, which names the
 * record.
 *
 * Both methods are synchronous. A serde that has to look up a schema or another value first calls
 * `context.waitFor(promise)`; tablog calls the method again when the promise has resolved. Both
 * methods may therefore be called more than once for a record.
 *
 * `I`: the type that `encode` takes, where `encode` takes a wider type than `decode` returns.
 */
export interface Serde<T, I = T> {
  encode(value: I, context: EncodeContext): Uint8Array | string;
  decode(bytes: Uint8Array, context: DecodeContext): T;
}

/**
 * A serde that needs no context, so that an application can call its methods directly. All serdes
 * of tablog are of this type.
 */
export interface SimpleSerde<T, I = T> extends Serde<T, I> {
  encode(value: I): Uint8Array | string;
  decode(bytes: Uint8Array): T;
}

/**
 * The part of the Standard Schema interface that tablog uses. Zod, Valibot, ArkType and other
 * validators implement the interface: https://standardschema.dev
 */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: T; readonly output: T } | undefined;
  };
}

type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** Text as UTF-8. */
export function string(): SimpleSerde<string> {
  return {
    encode(value) {
      if (typeof value === 'string') return value;
      throw mistake('string() takes a string', value);
    },
    decode: readUtf8,
  };
}

/**
 * Bytes, stored unchanged. A decoded value is a view into the fetched batch, and keeps the whole
 * batch (up to a megabyte) in memory. To keep a value, keep a `message.clone()`.
 */
export function bytes(): SimpleSerde<Uint8Array> {
  return {
    encode(value) {
      if (isBytes(value)) return value;
      throw mistake('bytes() takes a Uint8Array', value);
    },
    decode: (read) => read,
  };
}

/**
 * JSON. With a schema every value is validated, when a record is sent and when a record is read.
 * The schema must validate synchronously and must not transform the value.
 */
export function json<T>(schema?: StandardSchema<T>): SimpleSerde<T> {
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw mistake('json() takes a schema of the Standard Schema interface', schema);
  }
  return {
    encode(value) {
      let text: string | undefined;
      try {
        text = JSON.stringify(schema === undefined ? value : validate(schema, value));
      } catch (error) {
        const text = `json() cannot encode ${show(value)}: ${errorMessage(error)}`;
        throw new TypeError(text, { cause: error });
      }
      if (text === undefined) throw new TypeError(`json() cannot encode ${show(value)}`);
      return text;
    },
    decode(read) {
      const value = JSON.parse(readUtf8(read)) as T;
      return schema === undefined ? value : validate(schema, value);
    },
  };
}

/** A 16-bit integer, as Kafka's `ShortSerializer` writes it. */
export function short(): SimpleSerde<number> {
  return integerOf(
    'short',
    2,
    (view, value) => view.setInt16(0, value),
    (view) => view.getInt16(0),
  );
}

/** A 32-bit integer, as Kafka's `IntegerSerializer` writes it. */
export function integer(): SimpleSerde<number> {
  return integerOf(
    'integer',
    4,
    (view, value) => view.setInt32(0, value),
    (view) => view.getInt32(0),
  );
}

/** A 64-bit integer, as Kafka's `LongSerializer` writes it. */
export function long(): SimpleSerde<bigint> {
  return {
    encode(value) {
      const text = `long() takes a bigint of 64 bits, got ${show(value)}`;
      if (typeof value !== 'bigint') throw new TypeError(text);
      if (BigInt.asIntN(64, value) !== value) throw new RangeError(text);
      return fixed(8, (view) => view.setBigInt64(0, value));
    },
    decode: (read) => exactly('long', 8, read).getBigInt64(0),
  };
}

/** A 32-bit float, as Kafka's `FloatSerializer` writes it: rounded to single precision. */
export function float(): SimpleSerde<number> {
  return {
    encode(value) {
      if (Number.isFinite(checkNumber('float', value)) && !Number.isFinite(Math.fround(value))) {
        throw new RangeError(`float() takes a number of single precision, got ${show(value)}`);
      }
      return fixed(4, (view) => view.setFloat32(0, value));
    },
    decode: (read) => exactly('float', 4, read).getFloat32(0),
  };
}

/** A 64-bit float, as Kafka's `DoubleSerializer` writes it. */
export function double(): SimpleSerde<number> {
  return {
    encode: (value) => fixed(8, (view) => view.setFloat64(0, checkNumber('double', value))),
    decode: (read) => exactly('double', 8, read).getFloat64(0),
  };
}

/** The type that `send` takes as the key or value where the topic has no serde for the field. */
export type BytesOrText = Uint8Array | string;

/** The default serde: takes bytes or text, and returns bytes. */
export const plain: SimpleSerde<Uint8Array, BytesOrText> = {
  encode(value: unknown) {
    if (typeof value === 'string' || isBytes(value)) return value;
    throw mistake('what has no serde must be a Uint8Array or a string', value);
  },
  decode: (read) => read,
};

function validate<T>(schema: StandardSchema<T>, value: unknown): T {
  const result = schema['~standard'].validate(value);
  if (isPromise(result)) {
    result.then(undefined, () => {}); // the result is not used
    throw new TypeError(
      'the schema validates asynchronously, and json() takes only synchronous ones',
    );
  }
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => issue.message).join('; ');
  throw new TypeError(`the value does not fit its schema: ${issues}`);
}

function integerOf(
  name: string,
  size: number,
  write: (view: DataView, value: number) => void,
  read: (view: DataView) => number,
): SimpleSerde<number> {
  const bound = 2 ** (size * 8 - 1);
  return {
    encode(value) {
      if (!Number.isInteger(value) || value < -bound || value >= bound) {
        const text = `${name}() takes an integer of ${size * 8} bits, got ${show(value)}`;
        throw typeof value === 'number' ? new RangeError(text) : new TypeError(text);
      }
      return fixed(size, (view) => write(view, value));
    },
    decode: (encoded) => read(exactly(name, size, encoded)),
  };
}

function checkNumber(name: string, value: unknown): number {
  if (typeof value === 'number') return value;
  throw mistake(`${name}() takes a number`, value);
}

function fixed(size: number, write: (view: DataView) => void): Uint8Array {
  const encoded = new Uint8Array(size);
  write(new DataView(encoded.buffer));
  return encoded;
}

function exactly(name: string, size: number, read: Uint8Array): DataView {
  if (read.length === size) return new DataView(read.buffer, read.byteOffset, size);
  throw new TypeError(`${name}() reads ${size} bytes, and the record has ${read.length}`);
}
