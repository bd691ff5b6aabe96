import type { TablogError } from '../../base/error.ts';
import type { RawMessage } from '../message/message.ts';

/**
 * The fate of a record that cannot be decoded. 'fail': the reader gets the error, `SERDE`, and the
 * record is still the next one, so that a `seek` can go past it; 'skip': the record counts as
 * processed; 'deadLetter': the record goes to the `deadLetterTopic`, byte for byte, and counts as
 * processed.
 */
export type DecodeErrorAction = 'fail' | 'skip' | 'deadLetter';

export const DECODE_ERROR_ACTIONS: readonly DecodeErrorAction[] = ['fail', 'skip', 'deadLetter'];

/** An action for every record that cannot be decoded, or a function that returns one for each. */
export type OnDecodeError =
  | DecodeErrorAction
  | ((error: TablogError, message: RawMessage) => DecodeErrorAction | Promise<DecodeErrorAction>);
