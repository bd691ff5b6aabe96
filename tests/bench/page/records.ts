/** Which records: made-up text of a size, or GitHub's webhook events. */
export type Sample = '100 B' | '1 KiB' | 'events';

export interface BenchRecord {
  readonly key: string;
  readonly value: string;
}

/** What some records amount to, however they are stored. */
export interface Content {
  readonly records: number;
  /** UTF-16 units of the values. */
  readonly characters: number;
  /** UTF-8 bytes of keys and values. */
  readonly bytes: number;
}

export interface BenchRecords {
  readonly list: readonly BenchRecord[];
  readonly content: Content;
}

const VALUE_BYTES = { '100 B': 100, '1 KiB': 1024 } as const;
const KEYS = 1_000;

/** The same records for every case and every round. */
export async function makeRecords(sample: Sample, count: number): Promise<BenchRecords> {
  const distinct = sample === 'events' ? await loadEvents() : makeTexts(VALUE_BYTES[sample], count);
  const encoder = new TextEncoder();
  const sizes = distinct.map(
    ({ key, value }) => encoder.encode(key).length + encoder.encode(value).length,
  );
  const list: BenchRecord[] = [];
  let characters = 0;
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const { key, value } = distinct[i % distinct.length]!;
    list.push({ key, value });
    characters += value.length;
    bytes += sizes[i % distinct.length]!;
  }
  return { list, content: { records: count, characters, bytes } };
}

/** Each value is different: repeated ones would compress away in some stores and not in others. */
function makeTexts(size: number, count: number): BenchRecord[] {
  const random = randomNumbers(size);
  const bytes = new Uint8Array(size);
  const decoder = new TextDecoder();
  return Array.from({ length: count }, (_, i) => {
    for (let at = 0; at < size; at++) bytes[at] = 0x20 + (random() % 0x5f);
    return { key: `user-${i % KEYS}`, value: decoder.decode(bytes) };
  });
}

async function loadEvents(): Promise<BenchRecord[]> {
  const response = await fetch('/events.json');
  if (!response.ok) throw new Error(`/events.json: ${response.status}`);
  return (await response.json()) as BenchRecord[];
}

/** Marsaglia's xorshift: the same numbers each time. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
