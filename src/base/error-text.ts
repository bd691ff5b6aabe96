import { isError } from './brand.ts';

/**
 * The text for a thrown value that cannot be converted to a string: an object without a prototype,
 * or an error whose `message` getter throws.
 */
const NO_TEXT = 'an error without a text';

/**
 * The text of a thrown value, cut at `maxLength` UTF-16 units. Never throws, for any value. A lone
 * surrogate becomes U+FFFD, because UTF-8 cannot encode one; V8 cuts pairs in half in the messages
 * of `JSON.parse`.
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

/** The message of an error, without the error's name; for any other thrown value, its text. */
export function errorMessage(thrown: unknown): string {
  try {
    if (isError(thrown)) return errorText(thrown.message);
  } catch {
    // A Proxy can throw at every access: `errorText` then returns `NO_TEXT`.
  }
  return errorText(thrown);
}
