import { TablogError } from '../base/error.ts';
import type { ErrorDetails } from '../base/error.ts';
import type { ErrorRule } from '../base/error-rules.ts';

/** A `TablogError` as it crosses the thread border: Comlink keeps only name and message of an error. */
export interface ErrorData extends ErrorRule {
  readonly happened: string;
  readonly details: ErrorDetails;
  /** Structured cloning keeps an error's name, message and stack, and drops what else it has. */
  readonly cause?: Error;
}

export function toErrorData(error: TablogError): ErrorData {
  const { code, retriable, next, happened, details, cause } = error;
  return { code, retriable, next, happened, details, ...(cause instanceof Error && { cause }) };
}

export function fromErrorData(data: ErrorData): TablogError {
  return new TablogError(data, data.happened, data);
}
