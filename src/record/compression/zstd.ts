import { corruptBatch } from '../batch-error.ts';
import { viewOf } from '../batch-format.ts';
import type { RecordCodec } from './codec.ts';
import { InflatedBytes } from './inflated-bytes.ts';
import { BlockDecoder, MAX_BLOCK_BYTES } from './zstd-block-decoder.ts';

/**
 * Zstandard frames (RFC 8878). Integers are little endian.
 *
 *     4  magic · 1  descriptor · 0 or 1  window · 0 to 4  dictionary · 0 to 8  content size
 *     then blocks: 3  header: bit 0 last, 1-2 type, 3-23 size · … bytes
 *     then 0 or 4  checksum
 *
 * The checksum is passed over: the batch's CRC covers the same bytes. So are the window and the
 * content size: room is made for what comes out, and not for what a header declares.
 */
const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const SKIPPABLE_MASK = 0xffff_fff0;
const DESCRIPTOR_AT = 4;

const DESCRIPTOR = {
  dictionary: 0b0000_0011,
  checksum: 0b0000_0100,
  reserved: 0b0000_1000,
  singleSegment: 0b0010_0000,
} as const;

const BLOCK = { raw: 0, rle: 1, compressed: 2 } as const;
const BLOCK_HEADER_BYTES = 3;

function inflate(bytes: Uint8Array, limit: number): Uint8Array {
  const inflated = new InflatedBytes('zstd', bytes.length, limit);
  for (let at = 0; at < bytes.length;) at = inflateFrame(bytes, at, inflated);
  return inflated.finish();
}

/** Inflates the frame at `from`, or passes over a skippable frame; returns where it ends. */
function inflateFrame(bytes: Uint8Array, from: number, inflated: InflatedBytes): number {
  const view = viewOf(bytes);
  const mustHave = (end: number): number => {
    if (end > bytes.length) throw corruptBatch('its zstd frame ends too early');
    return end;
  };
  mustHave(from + DESCRIPTOR_AT + 1);
  const magic = view.getUint32(from, true);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    mustHave(from + 8);
    return mustHave(from + 8 + view.getUint32(from + 4, true));
  }
  if (magic !== MAGIC) throw corruptBatch('its records are no zstd frame');
  const descriptor = bytes[from + DESCRIPTOR_AT]!;
  if ((descriptor & (DESCRIPTOR.dictionary | DESCRIPTOR.reserved)) !== 0) {
    throw corruptBatch(`its zstd frame has the descriptor ${descriptor}`);
  }
  let at = from + DESCRIPTOR_AT + 1 + sizesBytes(descriptor);
  const decoder = new BlockDecoder(inflated);
  for (let isLast = false; !isLast;) {
    mustHave(at + BLOCK_HEADER_BYTES);
    const header = view.getUint16(at, true) + bytes[at + 2]! * 65_536;
    at += BLOCK_HEADER_BYTES;
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 0b11;
    const size = header >> 3;
    if (size > MAX_BLOCK_BYTES) throw corruptBatch(`its zstd frame has a block of ${size} bytes`);
    const end = mustHave(at + (type === BLOCK.rle ? 1 : size));
    if (type === BLOCK.raw) inflated.literals(bytes, at, size);
    else if (type === BLOCK.compressed) decoder.decode(bytes.subarray(at, end));
    else if (type !== BLOCK.rle) throw corruptBatch('its zstd frame has a block of no known type');
    else if (size > 0) {
      inflated.literals(bytes, at, 1);
      inflated.match(1, size - 1);
    }
    at = end;
  }
  return mustHave(at + ((descriptor & DESCRIPTOR.checksum) === 0 ? 0 : 4));
}

/** The size of the header's window and content size fields. */
function sizesBytes(descriptor: number): number {
  const isSingle = (descriptor & DESCRIPTOR.singleSegment) !== 0;
  const contentSize = descriptor >> 6;
  return Number(!isSingle) + (contentSize === 0 ? Number(isSingle) : 1 << contentSize);
}

/** Reads only: a good writer takes many times the code. */
export const zstd: RecordCodec = { inflate };
