import { isError } from './brand.ts';

/** For what has no text at all: an object without a prototype, a message whose getter throws. */
const NO_TEXT = 'an error without a text';

/**
 * The text of something thrown, of at most `maxLength` UTF-16 units. Anything can be thrown, so the
 * text is made without throwing; half a surrogate pair, which V8 itself puts into messages of
 * `JSON.parse` and which has no UTF-8, becomes U+FFFD.
 */
export function errorText(thrown: unknown, maxLength: number = Infinity): string {
  let text: string;
  try {
    text = String(thrown);
  } catch {
    text = NO_TEXT;
  }
  const cutsPair = /[\uD800-\uDBFF]$/.test(text.slice(0, maxLength)) && text.length > maxLength;
  return text.slice(0, cutsPair ? maxLength - 1 : maxLength).replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** The message of an error without its name; the text of whatever else was thrown. */
export function errorMessage(thrown: unknown): string {
  try {
    if (isError(thrown)) return errorText(thrown.message);
  } catch {
    // A proxy that throws: as text, it is told to have none.
  }
  return errorText(thrown);
}
