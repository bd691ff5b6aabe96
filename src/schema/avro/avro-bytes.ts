import { readUtf8, utf8Bytes, writeUtf8 } from '../../record/utf8.ts';

const FIRST_BYTES = 1_024;
/** The integers of 28 bits, four bytes of a varint, are read and written without a bigint. */
const FOUR_BYTES = 2 ** 28;
/** Twice as much is not exact as a number. */
const EXACT_DOUBLED = 2 ** 52;

/** Bytes that end before the value does, or have a length that no value has. */
export class AvroBytesError extends RangeError {
  override readonly name = 'AvroBytesError';
}

/**
 * Writes the primitive values of Avro.
 *
 * https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
export class AvroWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The bytes since the last call. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return taken;
  }

  /** Forgets the bytes since the last call: of a value that did not fit. */
  reset(): void {
    this.#at = 0;
  }

  byte(value: number): void {
    this.#grow(1);
    this.#bytes[this.#at++] = value;
  }

  /** A safe integer. */
  long(value: number): void {
    if (Math.abs(value) >= EXACT_DOUBLED) return this.bigLong(BigInt(value));
    this.#grow(10);
    // Zigzag: of integers beyond 31 bits by arithmetic, as bits end at 32.
    let left = value >= 0 ? value * 2 : value * -2 - 1;
    while (left >= FOUR_BYTES) {
      this.#bytes[this.#at++] = (left % 128) | 0x80;
      left = Math.floor(left / 128);
    }
    let bits = left | 0;
    while (bits >= 0x80) {
      this.#bytes[this.#at++] = (bits & 0x7f) | 0x80;
      bits >>>= 7;
    }
    this.#bytes[this.#at++] = bits;
  }

  /** An integer of 64 bits. */
  bigLong(value: bigint): void {
    this.#grow(10);
    let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (left >= 0x80n) {
      this.#bytes[this.#at++] = Number(left & 0x7fn) | 0x80;
      left >>= 7n;
    }
    this.#bytes[this.#at++] = Number(left);
  }

  float(value: number): void {
    this.#grow(4);
    this.#view.setFloat32(this.#at, value, true);
    this.#at += 4;
  }

  double(value: number): void {
    this.#grow(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Bytes without a length. */
  fixed(value: Uint8Array): void {
    this.#grow(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  bytes(value: Uint8Array): void {
    this.long(value.length);
    this.fixed(value);
  }

  /** Throws a `TypeError` at a lone surrogate, which has no UTF-8. */
  string(value: string): void {
    const start = this.#at;
    // Most texts are ASCII, of as many bytes as characters.
    this.long(value.length);
    this.#grow(value.length);
    if (writeUtf8(this.#bytes, this.#at, value, value.length)) {
      this.#at += value.length;
      return;
    }
    this.#at = start;
    const size = utf8Bytes(value);
    this.long(size);
    this.#grow(size);
    writeUtf8(this.#bytes, this.#at, value, size);
    this.#at += size;
  }

  #grow(size: number): void {
    const needed = this.#at + size;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads the primitive values of Avro. Throws an `AvroBytesError` where they do not go on. */
export class AvroReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The number of bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw truncated();
    return this.#bytes[this.#at++]!;
  }

  /** An integer of up to 53 bits, or a bigint of more. */
  long(): number | bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    }
    let middle = 0;
    let top = 0;
    for (let shift = 0; shift < 42; shift += 7) {
      const byte = this.byte();
      if (shift < 28) middle |= (byte & 0x7f) << shift;
      else top |= (byte & 0x7f) << (shift - 28);
      if (byte < 0x80) return unzigzag(low, middle, top);
    }
    throw new AvroBytesError('the bytes have an integer of more than 64 bits');
  }

  /** A `long` within 32 bits. */
  int(): number {
    const value = this.long();
    if (typeof value === 'number' && value === (value | 0)) return value;
    throw new AvroBytesError(`the bytes have ${value} for an int of 32 bits`);
  }

  float(): number {
    const at = this.#pass(4);
    return this.#view.getFloat32(at, true);
  }

  double(): number {
    const at = this.#pass(8);
    return this.#view.getFloat64(at, true);
  }

  /** A view of the next bytes. */
  fixed(size: number): Uint8Array {
    const at = this.#pass(size);
    return this.#bytes.subarray(at, at + size);
  }

  bytes(): Uint8Array {
    return this.fixed(this.size());
  }

  string(): string {
    return readUtf8(this.bytes());
  }

  /** Bytes as text, where they may be none: what is no UTF-8 is U+FFFD, as in Java. */
  textOfBytes(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /** A length, a count or an index: an integer from 0 on. */
  size(): number {
    const value = this.long();
    if (typeof value === 'number' && value >= 0) return value;
    throw new AvroBytesError(`the bytes have ${value} for a length`);
  }

  skip(size: number): void {
    this.#pass(size);
  }

  #pass(size: number): number {
    const at = this.#at;
    if (size > this.#bytes.length - at) throw truncated();
    this.#at = at + size;
    return at;
  }
}

/** `low` and `middle` of 28 bits, and `top`: a number where it is exact. */
function unzigzag(low: number, middle: number, top: number): number | bigint {
  const raw = low + middle * FOUR_BYTES;
  if (top === 0 && raw <= Number.MAX_SAFE_INTEGER) {
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
  const all = BigInt(low) | (BigInt(middle) << 28n) | (BigInt(top) << 56n);
  const whole = BigInt.asUintN(64, all);
  const value = (whole >> 1n) ^ -(whole & 1n);
  const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
  return isSafe ? Number(value) : value;
}

function truncated(): AvroBytesError {
  return new AvroBytesError('the bytes end before the value does');
}
