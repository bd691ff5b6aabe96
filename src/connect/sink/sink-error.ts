import { checkOneOf } from '../../base/argument.ts';
import { errorMessage } from '../../base/error-text.ts';

/**
 * What a failure of a sink means for its connector. 'retry': the same batch can succeed later.
 * 'refused': the target will never take a record. 'fenced': another tab has written to the
 * target, which is asked again where it stands.
 * 'unauthorized': the target takes nothing from the user who is signed in. 'fatal': nothing can
 * succeed before somebody changes something.
 */
export type SinkErrorKind = 'retry' | 'refused' | 'fenced' | 'unauthorized' | 'fatal';

export interface SinkErrorOptions {
  /** Of 'retry' and 'unauthorized': the wait before the next attempt, in milliseconds, at the least. */
  readonly retryAfterMs?: number;
  /** Of 'refused': the offset of the record. Default: it is found by halving the batch. */
  readonly offset?: number;
  readonly cause?: unknown;
}

const KINDS: readonly SinkErrorKind[] = ['retry', 'refused', 'fenced', 'unauthorized', 'fatal'];

/** The error that a sink throws to tell what a failure means. */
export class SinkError extends Error {
  override readonly name = 'SinkError';
  readonly kind: SinkErrorKind;
  readonly retryAfterMs: number | undefined;
  readonly offset: number | undefined;

  constructor(kind: SinkErrorKind, message: string, options: SinkErrorOptions = {}) {
    checkOneOf('the kind of a SinkError', kind, KINDS);
    const { cause, retryAfterMs, offset } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
    this.offset = offset;
  }
}

/** What a sink threw, as a `SinkError`: a failure that a sink says nothing about passes. */
export function toSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  return new SinkError('retry', errorMessage(error), { cause: error });
}
