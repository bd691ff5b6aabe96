import { corruptBatch } from '../batch-error.ts';
import { BackwardBits } from './zstd-backward-bits.ts';
import { readFseTable } from './zstd-fse-table.ts';

/** The longest code, and the largest log of the table of weights (RFC 8878, 4.2.1). */
const MAX_BITS = 11;
const MAX_WEIGHT_LOG = 6;
const MAX_SYMBOLS = 256;

/**
 * A first byte from here on tells the number of weights, of four bits each; a lower one is a size.
 */
const DIRECT = 128;

/**
 * A Huffman code of literals (RFC 8878, 4.2), as a table indexed by as many bits as the longest
 * code has.
 */
export class Huffman {
  readonly #maxBits: number;
  readonly #symbols: Uint8Array;
  readonly #bits: Uint8Array;

  /**
   * `weights`: a symbol of weight w has 2^(w-1) places of the table; 0: the symbol does not occur.
   */
  constructor(weights: readonly number[]) {
    const sum = weights.reduce((all, weight) => all + ((1 << weight) >> 1), 0);
    const maxBits = 32 - Math.clz32(sum);
    // The weight of the last symbol is implied: it fills the table up to a power of two.
    const left = (1 << maxBits) - sum;
    if (sum === 0 || maxBits > MAX_BITS || (left & (left - 1)) !== 0) throw badCode();
    const all = [...weights, 32 - Math.clz32(left)];
    if (all.length > MAX_SYMBOLS) throw badCode();
    this.#maxBits = maxBits;
    this.#symbols = new Uint8Array(1 << maxBits);
    this.#bits = new Uint8Array(1 << maxBits);
    let at = 0;
    for (let weight = 1; weight <= maxBits; weight++) {
      all.forEach((of, symbol) => {
        if (of !== weight) return;
        const end = at + (1 << (weight - 1));
        this.#symbols.fill(symbol, at, end);
        this.#bits.fill(maxBits + 1 - weight, at, end);
        at = end;
      });
    }
  }

  /** Decodes one stream, which must fill `out` and end there. */
  decode(stream: Uint8Array, out: Uint8Array): void {
    const bits = new BackwardBits(stream);
    const maxBits = this.#maxBits;
    for (let i = 0; i < out.length; i++) {
      const code = bits.peek(maxBits);
      out[i] = this.#symbols[code]!;
      bits.skip(this.#bits[code]!);
    }
    if (bits.left !== 0) throw corruptBatch('its zstd has literals that do not add up');
  }
}

/**
 * Reads the code description at the beginning of `bytes`; returns the code and where its
 * description ends.
 */
export function readHuffman(bytes: Uint8Array): { readonly code: Huffman; readonly end: number } {
  const first = bytes[0] ?? 0;
  if (first >= DIRECT) {
    const count = first - DIRECT + 1;
    const end = 1 + ((count + 1) >> 1);
    if (end > bytes.length) throw badCode();
    const weights = Array.from({ length: count }, (_, i) => {
      const byte = bytes[1 + (i >> 1)]!;
      return i % 2 === 0 ? byte >> 4 : byte & 15;
    });
    return { code: new Huffman(weights), end };
  }
  const end = 1 + first;
  if (first === 0 || end > bytes.length) throw badCode();
  return { code: new Huffman(readWeights(bytes.subarray(1, end))), end };
}

/** Two states take turns until the bits are used up; then each gives a last weight. */
function readWeights(bytes: Uint8Array): number[] {
  const { table, end } = readFseTable(bytes, MAX_WEIGHT_LOG, MAX_SYMBOLS - 1);
  const bits = new BackwardBits(bytes.subarray(end));
  const states = [bits.read(table.log), bits.read(table.log)];
  const weights: number[] = [];
  for (let turn = 0; ; turn ^= 1) {
    const state = states[turn]!;
    weights.push(table.symbols[state]!);
    states[turn] = table.next(state, bits);
    if (weights.length >= MAX_SYMBOLS) throw badCode();
    if (bits.left >= 0) continue;
    weights.push(table.symbols[states[turn ^ 1]!]!);
    return weights;
  }
}

function badCode(): Error {
  return corruptBatch('its zstd has a Huffman code that does not add up');
}
