import { errorText } from '../../base/error-text.ts';
import type { RecordParts } from '../../record/batch-writer.ts';

/** The facts of a record whose handler failed, for the dead letter's headers. */
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
 * A record's headers, followed by those of a dead letter: where the record was read
 * (`tablog.topic`, `tablog.partition`, `tablog.offset`), how often it was tried
 * (`tablog.attempts`), what its handler threw last (`tablog.error`), and where it is buried
 * (`tablog.deadLetterTopic`). A dead letter that is buried again keeps its first origin.
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
 * Whether a record in `topic` is a dead letter there. A record sent back to its origin keeps the
 * headers, but names another topic in them, and is none.
 */
export function isDeadLetter(topic: string, headers: Headers): boolean {
  const value = headers.findLast(([name]) => name === 'tablog.deadLetterTopic')?.[1];
  if (value === undefined || value === null) return false;
  return (typeof value === 'string' ? value : new TextDecoder().decode(value)) === topic;
}

function pairsOf(
  names: readonly string[],
  values: readonly (string | number)[],
): (readonly [string, string])[] {
  return names.map((name, i) => [name, String(values[i])] as const);
}
