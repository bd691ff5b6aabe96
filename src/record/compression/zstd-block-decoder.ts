import { corruptBatch } from '../batch-error.ts';
import type { InflatedBytes } from './inflated-bytes.ts';
import { BackwardBits } from './zstd-backward-bits.ts';
import { FseTable, readFseTable } from './zstd-fse-table.ts';
import { readHuffman } from './zstd-huffman.ts';
import type { Huffman } from './zstd-huffman.ts';
import { LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS } from './zstd-sequence-codes.ts';
import type { SequenceCodes } from './zstd-sequence-codes.ts';

/** The most bytes that a block can inflate to (RFC 8878, 3.1.1.2.4). */
export const MAX_BLOCK_BYTES: number = 128 * 1024;

const LITERALS = { raw: 0, rle: 1, compressed: 2, treeless: 3 } as const;

/** By size format: bytes of the header, bits of each of its two sizes, streams. */
const COMPRESSED_SIZES = [
  [3, 10, 1],
  [3, 10, 4],
  [4, 14, 4],
  [5, 18, 4],
] as const;

/** The jump table in front of four streams: the sizes of the first three. */
const JUMP_BYTES = 6;

const TABLE = { predefined: 0, rle: 1, described: 2, repeated: 3 } as const;
const RESERVED_MODES = 0b11;

/** The offset values that mean one of the last three offsets. */
const REPEATS = 3;

/** In the order in which a block describes their tables. */
const KINDS = [LITERAL_LENGTHS, OFFSETS, MATCH_LENGTHS] as const;

/**
 * Decodes the compressed blocks of a frame. A block may use the tables and output of earlier ones.
 */
export class BlockDecoder {
  readonly #inflated: InflatedBytes;
  #code: Huffman | undefined;
  readonly #tables: (FseTable | undefined)[] = [];
  #repeats: [number, number, number] = [1, 4, 8];

  constructor(inflated: InflatedBytes) {
    this.#inflated = inflated;
  }

  decode(block: Uint8Array): void {
    const { literals, end } = this.#readLiterals(block);
    this.#readSequences(block.subarray(end), literals);
  }

  /** The literals section (RFC 8878, 3.1.1.3.1). */
  #readLiterals(block: Uint8Array): { readonly literals: Uint8Array; readonly end: number } {
    const type = byteAt(block, 0) & 0b11;
    const format = (byteAt(block, 0) >> 2) & 0b11;
    if (type === LITERALS.raw || type === LITERALS.rle) {
      const header = format === 1 ? 2 : format === 3 ? 3 : 1;
      const size = checkedSize(integerAt(block, 0, header) >> (header === 1 ? 3 : 4));
      if (type === LITERALS.rle) {
        const literals = new Uint8Array(size).fill(byteAt(block, header));
        return { literals, end: header + 1 };
      }
      return { literals: slice(block, header, header + size), end: header + size };
    }
    const [header, width, streams] = COMPRESSED_SIZES[format]!;
    const sizes = Math.floor(integerAt(block, 0, header) / 16);
    const size = checkedSize(sizes % 2 ** width);
    const end = header + Math.floor(sizes / 2 ** width);
    let packed = slice(block, header, end);
    if (type === LITERALS.compressed) {
      const read = readHuffman(packed);
      this.#code = read.code;
      packed = packed.subarray(read.end);
    }
    if (this.#code === undefined) throw corruptBatch('its zstd has literals without their code');
    const literals = new Uint8Array(size);
    if (streams === 1) this.#code.decode(packed, literals);
    else decodeStreams(this.#code, packed, literals);
    return { literals, end };
  }

  /** The sequences section (RFC 8878, 3.1.1.3.2): runs of literals, each followed by a match. */
  #readSequences(section: Uint8Array, literals: Uint8Array): void {
    const inflated = this.#inflated;
    let { count, at } = sequenceCount(section);
    if (count === 0) {
      if (at !== section.length) throw badSequences();
      inflated.literals(literals, 0, literals.length);
      return;
    }
    const modes = byteAt(section, at++);
    if ((modes & RESERVED_MODES) !== 0) throw badSequences();
    KINDS.forEach((codes, kind) => {
      at += this.#readTable(codes, kind, (modes >> (6 - 2 * kind)) & 0b11, section.subarray(at));
    });
    const [lengths, offsets, matches] = this.#tables as [FseTable, FseTable, FseTable];
    const bits = new BackwardBits(section.subarray(at));
    let length = bits.read(lengths.log);
    let offset = bits.read(offsets.log);
    let match = bits.read(matches.log);
    let from = 0;
    let size = literals.length;
    for (; count > 0; count--) {
      const distance = partOf(OFFSETS, offsets.symbols[offset]!, bits);
      const matched = partOf(MATCH_LENGTHS, matches.symbols[match]!, bits);
      const run = partOf(LITERAL_LENGTHS, lengths.symbols[length]!, bits);
      size += matched;
      if (bits.left < 0 || from + run > literals.length || size > MAX_BLOCK_BYTES) {
        throw badSequences();
      }
      inflated.literals(literals, from, run);
      from += run;
      inflated.match(this.#distanceOf(distance, run === 0), matched);
      if (count === 1) break;
      length = lengths.next(length, bits);
      match = matches.next(match, bits);
      offset = offsets.next(offset, bits);
    }
    if (bits.left !== 0) throw badSequences();
    inflated.literals(literals, from, literals.length - from);
  }

  /** The table of one kind of code for this block; how many bytes describe it. */
  #readTable(
    { maxLog, bits, table }: SequenceCodes,
    kind: number,
    mode: number,
    bytes: Uint8Array,
  ): number {
    if (mode === TABLE.predefined) {
      this.#tables[kind] = table();
      return 0;
    }
    if (mode === TABLE.rle) {
      const code = byteAt(bytes, 0);
      if (code >= bits.length) throw badSequences();
      this.#tables[kind] = FseTable.ofOne(code);
      return 1;
    }
    if (mode === TABLE.described) {
      const read = readFseTable(bytes, maxLog, bits.length - 1);
      this.#tables[kind] = read.table;
      return read.end;
    }
    if (this.#tables[kind] === undefined) throw badSequences();
    return 0;
  }

  /**
   * The distance of a match, from its offset value, which is an offset or the number of a recent
   * one.
   */
  #distanceOf(value: number, isWithoutLiterals: boolean): number {
    const [first, second, third] = this.#repeats;
    if (value > REPEATS) {
      this.#repeats = [value - REPEATS, first, second];
      return value - REPEATS;
    }
    const number = value - 1 + Number(isWithoutLiterals);
    if (number === 0) return first;
    if (number === 1) {
      this.#repeats = [second, first, third];
      return second;
    }
    const distance = number === 2 ? third : first - 1;
    this.#repeats = [distance, first, second];
    return distance;
  }
}

function partOf({ bases, bits }: SequenceCodes, code: number, stream: BackwardBits): number {
  return bases[code]! + stream.read(bits[code]!);
}

/** Decodes four streams, of a quarter of the literals each; the last stream may have fewer. */
function decodeStreams(code: Huffman, packed: Uint8Array, literals: Uint8Array): void {
  const quarter = (literals.length + 3) >> 2;
  let from = JUMP_BYTES;
  for (let i = 0; i < 4; i++) {
    const to = i === 3 ? packed.length : from + integerAt(packed, 2 * i, 2);
    const start = Math.min(i * quarter, literals.length);
    const end = i === 3 ? literals.length : Math.min(start + quarter, literals.length);
    code.decode(slice(packed, from, to), literals.subarray(start, end));
    from = to;
  }
}

function sequenceCount(section: Uint8Array): { count: number; at: number } {
  const first = byteAt(section, 0);
  if (first < 128) return { count: first, at: 1 };
  if (first < 255) return { count: (first - 128) * 256 + byteAt(section, 1), at: 2 };
  return { count: integerAt(section, 1, 2) + 0x7f00, at: 3 };
}

function checkedSize(size: number): number {
  if (size > MAX_BLOCK_BYTES) throw corruptBatch(`its zstd has ${size} literals in a block`);
  return size;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return integerAt(bytes, at, 1);
}

/** A little-endian integer of `size` bytes. */
function integerAt(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) throw tooShort();
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

function slice(bytes: Uint8Array, from: number, to: number): Uint8Array {
  if (from > to || to > bytes.length) throw tooShort();
  return bytes.subarray(from, to);
}

function tooShort(): Error {
  return corruptBatch('its zstd has a block that ends too early');
}

function badSequences(): Error {
  return corruptBatch('its zstd has sequences that do not add up');
}
