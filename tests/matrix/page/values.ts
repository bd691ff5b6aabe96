import type { Found } from '../run-record.ts';

const FILLER_LENGTH = 1_000_000;
let filler: string | undefined;

/** A value that its producer and number tell, with bytes that they tell too. */
export function valueOf(producer: string, n: number, maxBytes: number): string {
  const length = (n * 7_919) % maxBytes;
  filler ??= randomText(FILLER_LENGTH);
  const start = (n * 104_729) % (FILLER_LENGTH - maxBytes);
  return `${producer}/${n}/${maxBytes}/${filler.slice(start, start + length)}`;
}

export function foundOf(offset: number, value: string): Found {
  const [producer = '', n = '', maxBytes = ''] = value.split('/', 3);
  const isWhole = value === valueOf(producer, Number(n), Number(maxBytes));
  return { offset, producer, n: Number(n), isWhole };
}

/** The same text in every page. Chromium compresses what it stores, and text that repeats reaches no quota. */
function randomText(length: number): string {
  const codes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    // Marsaglia's xorshift.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    codes[i] = 97 + ((state >>> 8) & 15);
  }
  return new TextDecoder().decode(codes);
}
