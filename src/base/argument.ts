import { isAbortSignal } from './brand.ts';
import { show } from './show.ts';
import { suggestion } from './suggest.ts';

/**
 * Checks of a caller's arguments. Each throws at the call, and its message names the rule and the
 * value: `TypeError` for the wrong kind of thing, `RangeError` for a number out of bounds.
 */

/** `setTimeout` fires at once for more: some 24 days. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

const TOPIC_NAME = /^[A-Za-z0-9._-]{1,200}$/;

/** An error that names the rule and the value. */
export function mistake(rule: string, value: unknown, kind: Kind = TypeError): Error {
  return new kind(`${rule}, got ${show(value)}`);
}

type Kind = TypeErrorConstructor | RangeErrorConstructor;

/** A number is out of bounds, and anything else is none. */
export function kindFor(value: unknown): Kind {
  return typeof value === 'number' ? RangeError : TypeError;
}

/** Whether a log, a topic or a group can have the name. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && TOPIC_NAME.test(name);
}

/**
 * Names of logs and topics are part of names of databases, locks and channels, so kept plain;
 * others follow.
 */
export function checkName(
  what: 'log name' | 'topic name' | 'group name' | 'member name' | 'transactional id',
  name: unknown,
): asserts name is string {
  if (isName(name)) return;
  throw mistake(nameRule(what), name);
}

/** `checkName` for the broker; see `mustBeInteger`. */
export function mustBeName(what: 'topic name', name: unknown): asserts name is string {
  if (!isName(name)) throw new TypeError(`${nameRule(what)}, got ${String(name)}`);
}

function nameRule(what: string): string {
  return `a ${what} must be 1 to 200 of the characters A-Z a-z 0-9 . _ -`;
}

/** An integer from `min` to `max` (default: no bound but safe integers). */
export function checkInteger(
  what: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (isInteger(value, min, max)) return;
  throw mistake(integerRule(what, min, max), value, kindFor(value));
}

/**
 * `checkInteger` for the broker, whose callers have checked their arguments unless they are of
 * another build: the error shows the value plainly, so that the worker needs no code to show any.
 */
export function mustBeInteger(
  what: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (isInteger(value, min, max)) return;
  throw new (kindFor(value))(`${integerRule(what, min, max)}, got ${String(value)}`);
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function integerRule(what: string, min: number, max: number): string {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return `${what} must be an integer ${bounds}`;
}

/** A number of milliseconds that a timer can count. */
export function checkMs(what: string, value: unknown, min = 0): asserts value is number {
  if (typeof value === 'number' && value >= min && value <= MAX_TIMER_MS) return;
  const bounds = `from ${min} to ${MAX_TIMER_MS}`;
  throw mistake(`${what} must be a number of milliseconds ${bounds}`, value, kindFor(value));
}

export function checkBoolean(what: string, value: unknown): asserts value is boolean {
  if (typeof value === 'boolean') return;
  throw mistake(`${what} must be true or false`, value);
}

/** `what` names the call and what it takes: 'sendBatch() takes an array of records'. */
export function checkArray(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw mistake(what, value);
}

/** `what` names the call and what it takes, each once: 'consumer() was given the topic'. */
export function checkDistinct(what: string, values: readonly (string | number)[]): void {
  const twice = values.find((value, i) => values.indexOf(value) < i);
  if (twice !== undefined) throw new TypeError(`${what} ${show(twice)} twice`);
}

/** `what` names the call and what it takes: 'on() takes a function'. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw mistake(what, value);
}

/** An object that has the methods, of whatever class. */
export function checkMethods(what: string, value: unknown, methods: readonly string[]): void {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (methods.every((method) => typeof given[method] === 'function')) return;
  throw mistake(`${what} must have the methods ${methods.join(', ')}`, value);
}

/** `or`: what else there is, as 'a function'. */
export function checkOneOf<T extends string>(
  what: string,
  value: unknown,
  allowed: readonly T[],
  or?: string,
): asserts value is T {
  if (allowed.includes(value as T)) return;
  const all = [...allowed.map(show), ...(or === undefined ? [] : [or])];
  throw mistake(`${what} must be one of ${all.join(', ')}`, value);
}

/** A misspelt name would otherwise be without effect and without a word. */
export function unknown(what: string, name: string, known: Iterable<string>): TypeError {
  const all = [...known];
  const meant = suggestion(name, all);
  const takes = `${meant === '' ? 'it' : `${meant} It`} takes ${all.join(', ')}`;
  return new TypeError(`${what} ${show(name)}: ${takes}`);
}

/** `options` over `defaults`, whose keys are all that there are. */
export function withDefaults<T extends object>(what: string, options: Partial<T>, defaults: T): T {
  return { ...defaults, ...given(what, options, defaults) };
}

/** Checks of what is given by these names; what one returns is kept instead of what was given. */
export type Checks<T extends object> = {
  readonly [K in keyof T]-?: (name: string, value: unknown) => unknown;
};

/** What is given of `options`, checked by `checks`, whose keys are all that there are. */
export function checkEach<T extends object>(what: string, options: T, checks: Checks<T>): T {
  const checked = given(what, options, checks) as T;
  for (const name of Object.keys(checked) as (keyof T & string)[]) {
    checked[name] = (checks[name](name, checked[name]) ?? checked[name]) as T[keyof T & string];
  }
  return checked;
}

/** `options` without those that are `undefined`; the keys of `known` are all that there are. */
function given<T extends object>(
  what: string,
  options: Partial<T>,
  known: T | Checks<T>,
): Partial<T> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw mistake(`${what} takes an object of options`, options);
  }
  const entries = Object.entries(options);
  for (const [name] of entries) {
    if (Object.hasOwn(known, name)) continue;
    throw unknown(`${what} has no option`, name, Object.keys(known));
  }
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<T>;
}

export function checkSignal(what: string, value: unknown): void {
  if (!isAbortSignal(value)) throw mistake(`${what} must be an AbortSignal`, value);
}
