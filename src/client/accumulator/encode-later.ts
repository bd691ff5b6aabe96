import { abortable } from '../../base/abortable.ts';
import { SERDE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { errorText } from '../../base/error-text.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { MAX_WAITS, endlessWait } from '../topics/endless-wait.ts';
import { SerdeWait } from '../topics/serde-context.ts';

const MAX_CAUSE_LENGTH = 300;

/** The longest wait for the look-ups of serdes. */
export interface EncodeDeadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the wait, and its timer. */
  readonly signal?: AbortSignal;
}

/**
 * The result of `encode`. Each time the promise that a serde waits for has resolved, `encode` is
 * called again; `first` is the first wait. Rejects with the error that `encode` throws, and with
 * `SERDE` where a wait fails or the deadline passes.
 */
export function encodeLater<T>(
  first: SerdeWait,
  encode: () => T,
  deadline?: EncodeDeadline,
): Promise<T> {
  let isOver = false;
  const encoded = repeat(first, encode, () => isOver || deadline?.signal?.aborted === true);
  if (deadline === undefined) return encoded;
  const { clock, timeoutMs, signal } = deadline;
  const timeoutError = (): TablogError => {
    isOver = true;
    return notEncoded(first, new Error(`it took more than ${timeoutMs} ms`));
  };
  return withDeadline(clock, timeoutMs, abortable(signal, encoded), timeoutError);
}

/** `isOver`: the result is not wanted any more, so no serde is called again. */
async function repeat<T>(first: SerdeWait, encode: () => T, isOver: () => boolean): Promise<T> {
  let wait = first;
  for (let waits = 1; ; waits++) {
    try {
      await wait.promise;
    } catch (error) {
      throw notEncoded(wait, error);
    }
    if (waits >= MAX_WAITS) throw notEncoded(wait, endlessWait(wait));
    if (isOver()) throw notEncoded(wait, new Error('it was given up'));
    try {
      return encode();
    } catch (error) {
      if (!(error instanceof SerdeWait)) throw error;
      wait = error;
    }
  }
}

function notEncoded({ topic, field }: SerdeWait, cause: unknown): TablogError {
  const why = errorText(cause, MAX_CAUSE_LENGTH);
  const happened = `the ${field} of a record for '${topic}' cannot be encoded, because what its serde waits for failed: ${why}`;
  const next = 'Nothing was stored: send it again when what the serde looks up can be had.';
  return new TablogError({ ...SERDE, next }, happened, { details: { topic, field }, cause });
}
