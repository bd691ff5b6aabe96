import { corruptBatch } from '../batch-error.ts';
import { viewOf } from '../batch-format.ts';
import type { RecordCodec } from './codec.ts';
import { InflatedBytes } from './inflated-bytes.ts';
import { MatchFinder } from './match-finder.ts';

/**
 * Snappy, as Java's producers frame it (xerial's snappy-java, big endian):
 *
 *     8  magic · 4  version · 4  least version that reads it
 *     then chunks: 4  size · one Snappy block
 *
 * Producers on librdkafka write one bare Snappy block instead.
 * Source: https://github.com/google/snappy/blob/main/format_description.txt
 */
const MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const HEADER_BYTES = 16;
const VERSION = 1;

/** The chunk size of snappy-java. A match lies less than 64 KiB back. */
const CHUNK_BYTES = 32 * 1024;

/** The low two bits of an element. */
const ELEMENT = { literal: 0, copy1: 1, copy2: 2, copy4: 3 } as const;

/** The longest literal length in the tag itself; longer ones follow it in 1 to 4 bytes. */
const SHORT_LITERAL = 60;

const MAX_COPY_BYTES = 64;

function inflate(bytes: Uint8Array, limit: number): Uint8Array {
  const inflated = new InflatedBytes('snappy', bytes.length, limit);
  if (!isFramed(bytes, 0)) {
    inflateBlock(bytes, inflated);
    return inflated.finish();
  }
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length;) {
    // Framed streams may follow each other.
    if (isFramed(bytes, at)) {
      at += HEADER_BYTES;
      continue;
    }
    if (at + 4 > bytes.length) throw tooShort();
    const size = view.getInt32(at);
    at += 4;
    if (size < 0 || at + size > bytes.length) throw tooShort();
    inflateBlock(bytes.subarray(at, at + size), inflated);
    at += size;
  }
  return inflated.finish();
}

function isFramed(bytes: Uint8Array, at: number): boolean {
  return bytes.length >= at + HEADER_BYTES && MAGIC.every((byte, i) => bytes[at + i] === byte);
}

function inflateBlock(bytes: Uint8Array, inflated: InflatedBytes): void {
  let at = 0;
  const integer = (count: number): number => {
    if (at + count > bytes.length) throw tooShort();
    let value = 0;
    for (let i = 0; i < count; i++) value += bytes[at++]! * 2 ** (8 * i);
    return value;
  };
  let size = 0;
  for (let shift = 0, more = 0x80; more >= 0x80; shift += 7) {
    if (shift > 28) throw corruptBatch('its snappy block has no length');
    more = integer(1);
    size += (more & 0x7f) * 2 ** shift;
  }
  inflated.mustFit(size);
  const end = inflated.size + size;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const high = tag >> 2;
    const kind = tag & 0b11;
    if (kind === ELEMENT.literal) {
      const count = 1 + (high < SHORT_LITERAL ? high : integer(high - SHORT_LITERAL + 1));
      if (at + count > bytes.length) throw tooShort();
      inflated.literals(bytes, at, count);
      at += count;
    } else if (kind === ELEMENT.copy1) {
      inflated.match((tag >> 5) * 256 + integer(1), 4 + (high & 0b111));
    } else {
      inflated.match(integer(kind === ELEMENT.copy2 ? 2 : 4), high + 1);
    }
    if (inflated.size > end) break;
  }
  if (inflated.size !== end) throw corruptBatch('its snappy block has another length than it says');
}

function deflate(records: Uint8Array): Uint8Array {
  const chunks = Math.ceil(records.length / CHUNK_BYTES);
  // Snappy's own bound for bytes without repetitions.
  const worst = records.length + Math.ceil(records.length / 6) + 36 * chunks;
  const out = new Uint8Array(HEADER_BYTES + worst);
  const view = viewOf(out);
  out.set(MAGIC);
  view.setInt32(8, VERSION);
  view.setInt32(12, VERSION);
  const finder = new MatchFinder();
  let at = HEADER_BYTES;
  for (let from = 0; from < records.length; from += CHUNK_BYTES) {
    const to = Math.min(from + CHUNK_BYTES, records.length);
    const end = deflateBlock(records, from, to, out, at + 4, finder);
    view.setInt32(at, end - at - 4);
    at = end;
  }
  return out.subarray(0, at);
}

/** Writes a block at `at`; returns the position after it. */
function deflateBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  finder: MatchFinder,
): number {
  let size = to - from;
  for (; size >= 0x80; size >>= 7) out[at++] = size | 0x80;
  out[at++] = size;
  const literals = (start: number, end: number): void => {
    const last = end - start - 1;
    if (last < 0) return;
    if (last < SHORT_LITERAL) out[at++] = last << 2;
    else if (last < 256) {
      out[at++] = SHORT_LITERAL << 2;
      out[at++] = last;
    } else {
      out[at++] = (SHORT_LITERAL + 1) << 2;
      out[at++] = last;
      out[at++] = last >> 8;
    }
    out.set(bytes.subarray(start, end), at);
    at += end - start;
  };
  const last = finder.search(bytes, from, to, (start, end, distance, length) => {
    literals(start, end);
    for (let left = length; left > 0;) {
      const count = Math.min(left, MAX_COPY_BYTES);
      out[at++] = ((count - 1) << 2) | ELEMENT.copy2;
      out[at++] = distance;
      out[at++] = distance >> 8;
      left -= count;
    }
  });
  literals(last, to);
  return at;
}

function tooShort(): Error {
  return corruptBatch('its snappy block ends too early');
}

export const snappy: RecordCodec = { inflate, deflate };
