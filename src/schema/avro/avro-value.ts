import { isBytes, timeOf } from '../../base/brand.ts';
import { show } from '../../base/show.ts';
import type { AvroType, FixedType, LogicalType, PrimitiveType } from './avro-type.ts';

/** A value that does not fit its schema, with the path to where it does not. */
export class AvroValueError extends TypeError {
  override readonly name = 'AvroValueError';
  /** `.customer.emails[2]`; empty: the value itself. */
  readonly path: string;
  readonly #rule: string;

  constructor(rule: string, path = '') {
    super(path === '' ? rule : `${path.replace(/^\./, '')}: ${rule}`);
    this.path = path;
    this.#rule = rule;
  }

  /** The same error, as of the value that has this one at `step`. */
  within(step: string): AvroValueError {
    return new AvroValueError(this.#rule, step + this.path);
  }
}

/** A duration of calendar and clock, as Avro has it: three numbers that are not made of one another. */
export interface AvroDuration {
  readonly months: number;
  readonly days: number;
  readonly milliseconds: number;
}

/** How many records deep a value may be nested. */
export const MAX_DEPTH = 500;

const DAY_MS = 86_400_000;
const MAX_UINT32 = 2 ** 32 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The value of JavaScript as the type beneath a logical type has it. Throws an `AvroValueError`. */
export function fromLogical(
  logical: LogicalType,
  type: PrimitiveType | FixedType,
  value: unknown,
): unknown {
  switch (logical.name) {
    case 'date':
      return Math.floor(timeIn('a Date', value) / DAY_MS);
    case 'timestamp-millis':
    case 'local-timestamp-millis':
      return timeIn('a Date', value);
    case 'decimal': {
      const unscaled = unscaledOf(value, logical);
      return type.type === 'fixed' ? bytesOf(unscaled, type.size) : bytesOf(unscaled);
    }
    case 'uuid':
      if (typeof value !== 'string' || !UUID.test(value)) throw misfit('a UUID', value);
      return type.type === 'fixed' ? fromHex(value.replaceAll('-', '')) : value;
    case 'duration':
      return durationBytes(value);
    default:
      return value; // times of the day, and instants finer than a Date, are numbers
  }
}

/** The value of JavaScript for one of the type beneath a logical type; the other way round. */
export function toLogical(
  logical: LogicalType,
  type: PrimitiveType | FixedType,
  value: unknown,
): unknown {
  switch (logical.name) {
    case 'date':
      return new Date((value as number) * DAY_MS);
    case 'timestamp-millis':
    case 'local-timestamp-millis':
      return new Date(Number(value));
    case 'decimal':
      return decimalText(integerOf(value as Uint8Array), logical.scale);
    case 'uuid':
      return type.type === 'fixed' ? uuidText(value as Uint8Array) : value;
    case 'duration': {
      const bytes = value as Uint8Array;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const [months, days, milliseconds] = [0, 4, 8].map((at) => view.getUint32(at, true));
      return { months, days, milliseconds };
    }
    default:
      return value;
  }
}

export function misfit(expected: string, value: unknown): AvroValueError {
  return new AvroValueError(`it must be ${expected}, got ${show(value)}`);
}

/** The name of a type for an error. */
export function nameOf(type: AvroType): string {
  switch (type.type) {
    case 'union':
      return type.branches.map(nameOf).join(' or ');
    case 'record':
      return `a record ${type.name}`;
    case 'enum':
      return `a symbol of ${type.name}`;
    case 'fixed':
      return type.logical?.name ?? `${type.size} bytes`;
    case 'array':
      return 'an array';
    case 'map':
      return 'a map';
    default:
      return type.logical?.name ?? type.type;
  }
}

function timeIn(what: string, value: unknown): number {
  const time = timeOf(value);
  if (time === undefined || Number.isNaN(time)) throw misfit(what, value);
  return time;
}

/** A decimal is a text, as numbers of JavaScript are binary: '12.30'. */
function unscaledOf(
  value: unknown,
  { precision, scale }: { readonly precision: number; readonly scale: number },
): bigint {
  const what = `a decimal as text, of ${precision} digits and ${scale} of them behind the point`;
  const parts = typeof value === 'string' ? /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) : null;
  const [, sign = '', whole = '', behind = ''] = parts ?? [];
  if (parts === null || behind.length > scale) throw misfit(what, value);
  const digits = BigInt(whole + behind.padEnd(scale, '0'));
  if (digits >= 10n ** BigInt(precision)) throw misfit(what, value);
  return sign === '-' ? -digits : digits;
}

function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${sign}${digits.slice(0, point)}${scale === 0 ? '' : `.${digits.slice(point)}`}`;
}

/** Two's complement, big-endian; by default as short as can be. Throws where `size` does not hold it. */
function bytesOf(value: bigint, size?: number): Uint8Array {
  let needed = 1;
  while (BigInt.asIntN(needed * 8, value) !== value) needed++;
  if (size !== undefined && needed > size) {
    throw new AvroValueError(`the decimal takes ${needed} bytes, and the type has ${size}`);
  }
  const bytes = new Uint8Array(size ?? needed);
  let left = value;
  for (let at = bytes.length - 1; at >= 0; at--) {
    bytes[at] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}

function integerOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16),
  );
}

function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function durationBytes(value: unknown): Uint8Array {
  if (isBytes(value) || typeof value !== 'object' || value === null) {
    throw misfit('{ months, days, milliseconds }', value);
  }
  const { months, days, milliseconds } = value as Partial<AvroDuration>;
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  for (const [i, part] of [months, days, milliseconds].entries()) {
    if (!Number.isInteger(part) || part! < 0 || part! > MAX_UINT32) {
      throw misfit('{ months, days, milliseconds }, each an integer of 32 bits from 0 on', value);
    }
    view.setUint32(i * 4, part!, true);
  }
  return bytes;
}
