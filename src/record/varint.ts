/**
 * Zigzag LEB128, as Kafka's records use it: small magnitudes of either sign take few bytes.
 * "varint" is 32 bits (at most 5 bytes), "varlong" 64 bits (at most 10 bytes).
 * Varlongs are JavaScript numbers here: timestamps and their deltas stay within safe integers.
 */

export const MAX_VARINT_BYTES = 5;

/** Bytes that `value`, a 32-bit integer, takes as a varint: 1 to 5. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80
    ? 1
    : zigzag < 0x4000
      ? 2
      : zigzag < 0x20_0000
        ? 3
        : zigzag < 0x1000_0000
          ? 4
          : 5;
}

/** Writes `value`, a 32-bit integer, at `at`; returns the position after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  while (zigzag > 0x7f) {
    bytes[at++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  bytes[at++] = zigzag;
  return at;
}

const INT32_MIN = -0x8000_0000;
const INT32_MAX = 0x7fff_ffff;

function zigzagOf(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** Bytes that `value`, an integer of magnitude up to 2^52, takes as a varlong. */
export function varlongBytes(value: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return varintBytes(value);
  let bytes = 1;
  for (let rest = zigzagOf(value); rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Writes `value`, an integer of magnitude up to 2^52, at `at`; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return writeVarint(bytes, at, value);
  let rest = zigzagOf(value);
  while (rest > 0x7f) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}
