import type { TablogError } from '../../base/error.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { RawMessage } from '../message/message.ts';

/**
 * The action for a record that cannot be decoded. 'fail': the loop throws the error, `SERDE`, and
 * the record stays the next one, so that a `seek` can move past it. 'skip': the record counts as
 * processed. 'deadLetter': the record is stored in the `deadLetterTopic`, byte for byte, and counts
 * as processed.
 */
export type DecodeErrorAction = 'fail' | 'skip' | 'deadLetter';

export const DECODE_ERROR_ACTIONS: readonly DecodeErrorAction[] = ['fail', 'skip', 'deadLetter'];

/**
 * One action for all records that cannot be decoded, or a function that returns the action for
 * each.
 */
export type OnDecodeError =
  | DecodeErrorAction
  | ((error: TablogError, message: RawMessage) => DecodeErrorAction | Promise<DecodeErrorAction>);

/** Throws a `TypeError` where 'deadLetter' has no topic to put the records in. */
export function checkDeadLetter({
  deadLetterTopic,
}: {
  readonly deadLetterTopic?: TopicLike | undefined;
}): void {
  if (deadLetterTopic === undefined) throw new TypeError("'deadLetter' needs a deadLetterTopic");
}
