import { ERROR_RULES } from './error-rules.ts';
import type { ErrorCode } from './error-rules.ts';

/** Facts about an error that survive structured cloning: offsets, sizes, names. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/**
 * The one error class of tablog. A mistake in a call's arguments is a `TypeError` or a `RangeError`
 * instead; everything that can go wrong with a correct call is a `TablogError`.
 *
 * `message` says what happened, with the values, and then what to do next.
 */
export class TablogError extends Error {
  override readonly name = 'TablogError';
  readonly code: ErrorCode;
  /** `true`: nothing was stored, and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  readonly details: ErrorDetails;
  /** What happened, without the code and the next step. */
  readonly happened: string;

  constructor(
    code: ErrorCode,
    happened: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    const rule = ERROR_RULES[code];
    super(
      `${code}: ${happened}. ${rule.next}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.retriable = rule.retriable;
    this.happened = happened;
    this.details = options.details ?? {};
  }
}

/** `error` as a `TablogError`: itself, or wrapped as a bug of ours with the original as its cause. */
export function toTablogError(error: unknown): TablogError {
  if (error instanceof TablogError) return error;
  return new TablogError('INTERNAL', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
