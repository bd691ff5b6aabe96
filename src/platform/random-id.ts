/** What tablog uses of the Web Cryptography API. */
export type RandomSource = Pick<Crypto, 'getRandomValues'>;

type RandomArray = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/**
 * A random UUID (version 4), also where the context is not secure and has no `crypto.randomUUID`.
 */
export function randomId(random?: RandomSource): string {
  const bytes = randomValues(new Uint8Array(16), random);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** A random producer id, a safe integer >= 0. Kafka's producers ask a broker for theirs instead. */
export function randomProducerId(random?: RandomSource): number {
  const [high, low] = randomValues(new Uint32Array(2), random);
  return (high! % 2 ** 21) * 2 ** 32 + low!;
}

/**
 * Ids are not secrets, only distinct: in a runtime without `crypto`, `Math.random` is good enough.
 */
function randomValues<T extends RandomArray>(
  into: T,
  source: Partial<RandomSource> | undefined = (globalThis as { crypto?: RandomSource }).crypto,
): T {
  if (source?.getRandomValues !== undefined) return source.getRandomValues(into);
  const values = 2 ** (8 * into.BYTES_PER_ELEMENT);
  for (let i = 0; i < into.length; i++) into[i] = Math.floor(Math.random() * values);
  return into;
}
