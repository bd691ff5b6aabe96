import { mistake } from '../../base/argument.ts';
import { EncodeCalls } from '../accumulator/record-encoder.ts';
import type { Topic } from '../topics/topic.ts';

/** Maps each byte to one character, and ASCII bytes to themselves. */
const LATIN1 = 'latin1';

/**
 * Encodes keys of a topic for a `Map`. Two keys are equal where their encoded bytes are, whether
 * they were given as text, bytes or objects.
 */
export function keyEncoder({ name, key: serde }: Topic): (key: unknown) => string {
  const decoder = new TextDecoder(LATIN1);
  const encoder = new TextEncoder();
  const calls = new EncodeCalls(name);
  return (key) => {
    calls.next(name);
    const encoded: unknown = serde.encode(key, calls);
    if (calls.wait !== undefined) throw calls.wait;
    if (encoded instanceof Uint8Array) return decoder.decode(encoded);
    if (typeof encoded !== 'string') {
      throw mistake(`the key serde of '${name}' must encode to a Uint8Array or a string`, encoded);
    }
    return isAscii(encoded) ? encoded : decoder.decode(encoder.encode(encoded));
  };
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
