import { isRegExp } from '../../base/brand.ts';
import { TablogError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import { errorMessage } from '../../base/error-text.ts';

/** Assertions for the store's contract, which must run without any test runner. */

/** Throws an `Error` that shows both values unless they are deeply equal. */
export function mustEqual(what: string, got: unknown, wanted: unknown): void {
  if (isEqual(got, wanted)) return;
  throw new Error(`${what}: got ${text(got)}, wanted ${text(wanted)}`);
}

export function mustBe(what: string, holds: boolean): void {
  if (!holds) throw new Error(`it must hold that ${what}`);
}

/** Throws unless the promise rejects with a `TablogError` of this code. */
export async function mustReject(
  what: string,
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<void> {
  const error = await rejectionOf(what, promise);
  mustBe(`${what} rejects with a TablogError`, error instanceof TablogError);
  mustEqual(`the code with which ${what} rejects`, (error as TablogError).code, code);
}

/** The reason that the promise rejects with. Throws when the promise resolves. */
export async function rejectionOf(what: string, promise: Promise<unknown>): Promise<unknown> {
  const settled = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (settled === undefined) throw new Error(`${what} must reject, and has not`);
  return settled.error;
}

/** Deep equality in which a missing field equals an `undefined` field, as tablog treats them. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
    return Object.is(a, b);
  }
  if (isRegExp(a) || isRegExp(b)) return isRegExp(a) && isRegExp(b) && String(a) === String(b);
  const [kindOfA, kindOfB] = [kindOf(a), kindOf(b)];
  if (kindOfA !== kindOfB) return false;
  if (ArrayBuffer.isView(a) || kindOfA === 'ArrayBuffer') return bytesText(a) === bytesText(b);
  const [left, right] = [a, b] as Record<string, unknown>[];
  const fields = new Set([...Object.keys(left!), ...Object.keys(right!)]);
  return [...fields].every((field) => isEqual(left![field], right![field]));
}

/** 'Object', 'Array', 'ArrayBuffer', 'Float64Array' and so on, for objects of any realm. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function bytesText(value: object): string {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBuffer);
  return bytes.join();
}

/** A value in full: the contract makes all values itself, and they are short and not private. */
function text(value: unknown): string {
  try {
    return JSON.stringify(value, shown) ?? String(value);
  } catch (error) {
    return errorMessage(error);
  }
}

function shown(_: string, value: unknown): unknown {
  if (value === undefined) return 'undefined';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  const kind = kindOf(value);
  if (kind === 'Object' || kind === 'Array') return value;
  if (isRegExp(value)) return String(value);
  if (ArrayBuffer.isView(value) || kind === 'ArrayBuffer') {
    return `${kind} of ${(value as ArrayBuffer).byteLength} bytes: ${bytesText(value).slice(0, 60)}`;
  }
  return kind;
}
