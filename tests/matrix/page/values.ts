import type { Found } from '../run-record.ts';

/** A value that its producer and number tell, with bytes that they tell too. */
export function valueOf(producer: string, n: number, maxBytes: number): string {
  const length = (n * 7_919) % maxBytes;
  const filler = String.fromCharCode(97 + (n % 26));
  return `${producer}/${n}/${maxBytes}/${filler.repeat(length)}`;
}

export function foundOf(offset: number, value: string): Found {
  const [producer = '', n = '', maxBytes = ''] = value.split('/');
  const isWhole = value === valueOf(producer, Number(n), Number(maxBytes));
  return { offset, producer, n: Number(n), isWhole };
}
