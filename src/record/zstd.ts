import { TablogError } from '../base/error.ts';
import { corruptBatch, inflatedTooLarge } from './batch-error.ts';
import { viewOf } from './batch-format.ts';
import { concat } from './concat.ts';
import type { RecordCodec } from './codec.ts';
import { Decompress } from './fzstd.ts';

/**
 * A Zstandard frame (RFC 8878). Integers are little endian.
 *
 *     4  magic · 1  descriptor · 0 or 1  window · 0 to 4  dictionary · 0 to 8  content size
 *     then blocks: 3  header: bit 0 last, 1-2 type, 3-23 size · … bytes
 *     then 0 or 4  checksum, passed over: the batch's CRC covers the same bytes
 */
const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const SKIPPABLE_MASK = 0xffff_fff0;
const WINDOW_AT = 5;

const DESCRIPTOR = {
  dictionary: 0b0000_0011,
  checksum: 0b0000_0100,
  singleSegment: 0b0010_0000,
} as const;

const BLOCK = { raw: 0, rle: 1, compressed: 2 } as const;

/** No block brings more. */
const MAX_BLOCK_BYTES = 128 * 1024;

/** The window's descriptor: in its upper 5 bits n, for 2^(10 + n) bytes, and in its lower 3 eighths of that. */
const WINDOW_SHIFT = 3;
const WINDOW_EIGHTHS = 0b111;
const MIN_WINDOW_LOG = 10;

/** The library moves its whole window at each block: more than this would keep the thread for seconds. */
const MAX_MOVED_BYTES = 8 * 1024 ** 3;

/**
 * Inflates one frame after the other. A frame is walked before the library gets it, because the library
 * makes room for the window that a header declares, up to 2 GiB, and takes blocks of any size.
 */
function inflate(bytes: Uint8Array, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let at = 0; at < bytes.length;) {
      const { end, frame } = frameAt(bytes, at, limit);
      at = end;
      if (frame === undefined) continue;
      new Decompress((chunk) => {
        size += chunk.length;
        if (size > limit) throw inflatedTooLarge(limit);
        if (chunk.length > 0) chunks.push(chunk);
      }).push(frame, true);
    }
  } catch (error) {
    if (error instanceof TablogError) throw error;
    throw corruptBatch(`its zstd frame does not inflate (${String(error)})`);
  }
  return chunks.length === 1 ? chunks[0]! : concat(chunks, size);
}

interface Frame {
  readonly end: number;
  /** With a window no larger than its content; `undefined`: a frame to be skipped. */
  readonly frame: Uint8Array | undefined;
}

function frameAt(bytes: Uint8Array, from: number, limit: number): Frame {
  const view = viewOf(bytes);
  const mustHave = (end: number): void => {
    if (end > bytes.length) throw corruptBatch('its zstd frame ends too early');
  };
  mustHave(from + WINDOW_AT);
  const magic = view.getUint32(from, true);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    mustHave(from + 8);
    const end = from + 8 + view.getUint32(from + 4, true);
    mustHave(end);
    return { end, frame: undefined };
  }
  if (magic !== MAGIC) throw corruptBatch('its records are no zstd frame');
  const descriptor = bytes[from + 4]!;
  const isSingle = (descriptor & DESCRIPTOR.singleSegment) !== 0;
  if ((descriptor & DESCRIPTOR.dictionary) !== 0) {
    throw corruptBatch('its zstd frame needs a dictionary');
  }
  const sizeBits = descriptor >> 6;
  const sizeBytes = sizeBits === 0 ? Number(isSingle) : 1 << sizeBits;
  const headerBytes = WINDOW_AT + Number(!isSingle) + sizeBytes;
  let at = from + headerBytes;
  let blocks = 0;
  let most = 0;
  for (let isLast = false; !isLast; blocks++) {
    mustHave(at + 3);
    const header = view.getUint16(at, true) + bytes[at + 2]! * 65_536;
    const size = header >> 3;
    const type = (header >> 1) & 0b11;
    if (size > MAX_BLOCK_BYTES) throw corruptBatch(`its zstd has a block of ${size} bytes`);
    most += type === BLOCK.compressed ? MAX_BLOCK_BYTES : size;
    at += 3 + (type === BLOCK.rle ? 1 : size);
    isLast = (header & 1) !== 0;
  }
  const end = at + ((descriptor & DESCRIPTOR.checksum) === 0 ? 0 : 4);
  mustHave(end);
  const declared = isSingle ? Infinity : windowLog(bytes[from + WINDOW_AT]!);
  const needed = Math.ceil(Math.log2(Math.max(Math.min(most, limit), MAX_BLOCK_BYTES)));
  const log = Math.max(Math.min(declared, needed), MIN_WINDOW_LOG);
  if (blocks * 2 ** log > MAX_MOVED_BYTES) {
    throw corruptBatch(`its zstd frame has ${blocks} blocks in a window of 2^${log} bytes`);
  }
  // A header of its own: the window is no larger than the content, and the size is not declared.
  const frame = bytes.slice(from + headerBytes - WINDOW_AT - 1, end);
  viewOf(frame).setUint32(0, MAGIC, true);
  frame[WINDOW_AT - 1] = descriptor & DESCRIPTOR.checksum;
  frame[WINDOW_AT] = (log - MIN_WINDOW_LOG) << WINDOW_SHIFT;
  return { end, frame };
}

/** The power of two that the window of this descriptor fits in. */
function windowLog(descriptor: number): number {
  const isPower = (descriptor & WINDOW_EIGHTHS) === 0;
  return (descriptor >> WINDOW_SHIFT) + MIN_WINDOW_LOG + Number(!isPower);
}

/** Read only: no library of a reasonable size that needs no WebAssembly writes it. */
export const zstd: RecordCodec = { inflate };
