import { decodeLeniently } from '../../record/text-codec.ts';
import { errorText } from '../../base/error-text.ts';
import type { RecordParts } from '../../record/batch-writer.ts';

/** The facts about a record whose handler failed, for the headers of its dead letter. */
export interface FailedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly attempts: number;
  readonly error: unknown;
  readonly deadLetterTopic: string;
}

/** The most UTF-16 units of an error's text in a header. */
const MAX_ERROR_LENGTH = 1000;

const ORIGIN = ['tablog.topic', 'tablog.partition', 'tablog.offset'];
const FAILURE = ['tablog.attempts', 'tablog.error', 'tablog.deadLetterTopic'];

type Headers = RecordParts['headers'];

/**
 * A record's headers, followed by those of a dead letter: the origin (`tablog.topic`,
 * `tablog.partition`, `tablog.offset`), the number of attempts (`tablog.attempts`), the last error
 * of the handler (`tablog.error`), and the dead letter topic (`tablog.deadLetterTopic`). A dead
 * letter that fails again keeps its first origin.
 */
export function deadLetterHeaders(headers: Headers, failed: FailedRecord): Headers {
  const { topic, partition, offset, attempts, error, deadLetterTopic } = failed;
  const failure = pairsOf(FAILURE, [attempts, errorText(error, MAX_ERROR_LENGTH), deadLetterTopic]);
  if (isDeadLetter(topic, headers)) {
    return [...headers.filter(([name]) => !FAILURE.includes(name)), ...failure];
  }
  return [...headers, ...pairsOf(ORIGIN, [topic, partition, offset]), ...failure];
}

/**
 * Whether a record in `topic` is a dead letter of that topic. A record that was sent back to its
 * origin keeps the headers, which then name another topic, and is no dead letter.
 */
export function isDeadLetter(topic: string, headers: Headers): boolean {
  const value = headers.findLast(([name]) => name === 'tablog.deadLetterTopic')?.[1];
  if (value === undefined || value === null) return false;
  return (typeof value === 'string' ? value : decodeLeniently(value)) === topic;
}

function pairsOf(
  names: readonly string[],
  values: readonly (string | number)[],
): (readonly [string, string])[] {
  return names.map((name, i) => [name, String(values[i])] as const);
}
