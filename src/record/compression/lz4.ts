import { corruptBatch } from '../batch-error.ts';
import { viewOf } from '../batch-format.ts';
import type { RecordCodec } from './codec.ts';
import { InflatedBytes } from './inflated-bytes.ts';
import { MIN_MATCH_BYTES, MatchFinder } from './match-finder.ts';

/**
 * LZ4's frame format, as Kafka writes it in batches of magic 2. Integers are little endian.
 *
 *     4  magic · 1  flags · 1  block size · 0 or 8  content size · 1  header checksum
 *     then blocks: 4  size, its high bit: stored as it is · … bytes · 0 or 4  checksum
 *     then 4  zero · 0 or 4  content checksum
 *
 * Checksums are passed over: the batch's CRC covers the same bytes.
 * Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md
 */
const MAGIC = 0x184d_2204;

const FLAG = {
  version: 0b1100_0000,
  version1: 0b0100_0000,
  independentBlocks: 0b0010_0000,
  blockChecksum: 0b0001_0000,
  contentSize: 0b0000_1000,
  contentChecksum: 0b0000_0100,
  dictionary: 0b0000_0001,
} as const;

const STORED = 0x8000_0000;
const CHECKSUM_BYTES = 4;
const CONTENT_SIZE_BYTES = 8;

/**
 * The header of independent blocks of 64 KiB, as Kafka's writer makes them; the last byte is the
 * checksum of the two before.
 */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82);
const BLOCK_BYTES = 64 * 1024;

/** The value of a 4-bit length that continues in the bytes that follow. */
const LENGTH_BITS = 15;
const MORE = 255;

function inflate(bytes: Uint8Array, limit: number): Uint8Array {
  const view = viewOf(bytes);
  if (bytes.length < HEADER.length || view.getUint32(0, true) !== MAGIC) {
    throw corruptBatch('its records are no lz4 frame');
  }
  const flags = bytes[4]!;
  if ((flags & FLAG.version) !== FLAG.version1 || (flags & FLAG.dictionary) !== 0) {
    throw corruptBatch(`its lz4 frame has the flags ${flags}`);
  }
  const blockChecksum = (flags & FLAG.blockChecksum) === 0 ? 0 : CHECKSUM_BYTES;
  const contentChecksum = (flags & FLAG.contentChecksum) === 0 ? 0 : CHECKSUM_BYTES;
  const contentSize = (flags & FLAG.contentSize) === 0 ? 0 : CONTENT_SIZE_BYTES;
  const inflated = new InflatedBytes('lz4', bytes.length, limit);
  for (let at = HEADER.length + contentSize; ;) {
    if (at + 4 > bytes.length) throw tooShort();
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) {
      if (at + contentChecksum !== bytes.length) throw corruptBatch('bytes follow its lz4 frame');
      return inflated.finish();
    }
    const stored = size >= STORED;
    const end = at + (stored ? size - STORED : size);
    if (end > bytes.length) throw tooShort();
    if (stored) inflated.literals(bytes, at, end - at);
    else inflateBlock(bytes, at, end, inflated);
    at = end + blockChecksum;
  }
}

function inflateBlock(bytes: Uint8Array, from: number, to: number, inflated: InflatedBytes): void {
  let at = from;
  const length = (bits: number): number => {
    let sum = bits;
    if (bits < LENGTH_BITS) return sum;
    for (let more = MORE; more === MORE; sum += more) {
      if (at >= to) throw tooShort();
      more = bytes[at++]!;
    }
    return sum;
  };
  for (;;) {
    if (at >= to) throw tooShort();
    const token = bytes[at++]!;
    const literals = length(token >> 4);
    if (at + literals > to) throw tooShort();
    inflated.literals(bytes, at, literals);
    at += literals;
    if (at === to) return; // the last sequence has no match
    if (at + 2 > to) throw tooShort();
    const distance = bytes[at]! | (bytes[at + 1]! << 8);
    at += 2;
    inflated.match(distance, length(token & LENGTH_BITS) + MIN_MATCH_BYTES);
  }
}

function deflate(records: Uint8Array): Uint8Array {
  const blocks = Math.ceil(records.length / BLOCK_BYTES);
  const frame = new Uint8Array(HEADER.length + records.length + (blocks + 1) * 4);
  const view = viewOf(frame);
  const finder = new MatchFinder();
  const packed = new Uint8Array(BLOCK_BYTES + Math.ceil(BLOCK_BYTES / MORE) + 16);
  frame.set(HEADER);
  let at = HEADER.length;
  for (let from = 0; from < records.length; from += BLOCK_BYTES) {
    const to = Math.min(from + BLOCK_BYTES, records.length);
    const size = deflateBlock(records, from, to, packed, finder);
    const stored = size >= to - from;
    view.setUint32(at, stored ? STORED + (to - from) : size, true);
    at += 4;
    const block = stored ? records.subarray(from, to) : packed.subarray(0, size);
    frame.set(block, at);
    at += block.length;
  }
  return frame.subarray(0, at + 4);
}

/** Writes the sequences of a block to `out`; returns their size in bytes. */
function deflateBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  finder: MatchFinder,
): number {
  let at = 0;
  const sequence = (literalsFrom: number, literalsTo: number, matchBits: number): void => {
    const count = literalsTo - literalsFrom;
    out[at++] = (Math.min(count, LENGTH_BITS) << 4) | Math.min(matchBits, LENGTH_BITS);
    length(count);
    out.set(bytes.subarray(literalsFrom, literalsTo), at);
    at += count;
  };
  const length = (value: number): void => {
    if (value < LENGTH_BITS) return;
    let rest = value - LENGTH_BITS;
    for (; rest >= MORE; rest -= MORE) out[at++] = MORE;
    out[at++] = rest;
  };
  const last = finder.search(bytes, from, to, (literalsFrom, literalsTo, distance, count) => {
    sequence(literalsFrom, literalsTo, count - MIN_MATCH_BYTES);
    out[at++] = distance;
    out[at++] = distance >> 8;
    length(count - MIN_MATCH_BYTES);
  });
  sequence(last, to, 0);
  return at;
}

function tooShort(): Error {
  return corruptBatch('its lz4 frame ends too early');
}

export const lz4: RecordCodec = { inflate, deflate };
