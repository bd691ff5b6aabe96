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

/** The longest text of an error in a header, in UTF-16 code units. */
const MAX_ERROR_LENGTH = 1000;

const ORIGIN = ['tablog.topic', 'tablog.partition', 'tablog.offset'];
const FAILURE = ['tablog.attempts', 'tablog.error', 'tablog.deadLetterTopic'];

type Headers = RecordParts['headers'];

/**
 * A record's headers, followed by those of a dead letter: the record's origin (`tablog.topic`,
 * `tablog.partition`, `tablog.offset`), the number of attempts (`tablog.attempts`), the last error
 * of its handler (`tablog.error`), and the topic in which it is a dead letter
 * (`tablog.deadLetterTopic`). A dead letter that becomes one again keeps its first origin.
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
 * Whether a record in `topic` is a dead letter there. A record that was sent back to its origin
 * keeps the headers, which name another topic: it is no dead letter.
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
