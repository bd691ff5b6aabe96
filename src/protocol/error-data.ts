import { TablogError } from '../base/error.ts';
import type { ErrorDetails } from '../base/error.ts';
import { ERROR_RULES } from '../base/error-rules.ts';
import type { ErrorCode } from '../base/error-rules.ts';

/** A `TablogError` as it crosses the thread border: Comlink keeps only name and message of an error. */
export interface ErrorData {
  readonly code: ErrorCode;
  /** What happened: the message without its code and without the next step. */
  readonly happened: string;
  readonly details: ErrorDetails;
  readonly cause?: { readonly name: string; readonly message: string; readonly stack?: string };
}

export function toErrorData(error: TablogError): ErrorData {
  const { cause } = error;
  return {
    code: error.code,
    happened: error.happened,
    details: error.details,
    ...(cause instanceof Error && {
      cause: {
        name: cause.name,
        message: cause.message,
        ...(cause.stack !== undefined && { stack: cause.stack }),
      },
    }),
  };
}

export function fromErrorData(data: ErrorData): TablogError {
  // A newer worker may know a code that this tab does not.
  const code: ErrorCode = data.code in ERROR_RULES ? data.code : 'INTERNAL';
  const { details, cause } = data;
  if (cause === undefined) return new TablogError(code, data.happened, { details });
  return new TablogError(code, data.happened, { details, cause: Object.assign(new Error(), cause) });
}
