import { expect } from 'vitest';
import type { ErrorCode } from '../../src/base/error-rule.ts';
import { TablogError } from '../../src/base/error.ts';

/** The `TablogError` that `action` throws; fails where it throws nothing, or anything else. */
export function errorOf(action: () => unknown): TablogError {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, 'it must throw a TablogError').toBeInstanceOf(TablogError);
  return thrown as TablogError;
}

export function codeOf(action: () => unknown): ErrorCode {
  return errorOf(action).code;
}
