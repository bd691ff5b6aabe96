import { isError } from '../base/brand.ts';
import { TablogError } from '../base/error.ts';
import type { ErrorDetails } from '../base/error.ts';
import type { ErrorRule } from '../base/error-rule.ts';

/**
 * A `TablogError` as it crosses the thread border: Comlink keeps only name and message of an error.
 */
export interface ErrorData extends ErrorRule {
  readonly happened: string;
  readonly details: ErrorDetails;
  /** A copy as data: structured cloning can refuse the properties of an error. */
  readonly cause?: { readonly name: string; readonly message: string; readonly stack: string };
}

export function toErrorData(error: TablogError): ErrorData {
  const { code, outcome, retriable, next, happened, details, cause } = error;
  const data = { code, outcome, retriable, next, happened, details };
  if (!isError(cause)) return data;
  const { name, message, stack = '' } = cause;
  return { ...data, cause: { name, message, stack } };
}

export function fromErrorData(data: ErrorData): TablogError {
  const { happened, details, cause } = data;
  return new TablogError(data, happened, {
    details,
    cause: cause && Object.assign(new Error(cause.message), cause),
  });
}
