import { isAbortSignal } from './brand.ts';
import { show } from './show.ts';
import { suggestion } from './suggest.ts';

/**
 * Checks of a caller's arguments. Each throws at the call, and its message names the rule and the
 * value: `TypeError` for the wrong kind of thing, `RangeError` for a number out of bounds.
 */

/**
 * The longest delay of a timer, in milliseconds: about 24 days. `setTimeout` fires at once for a
 * longer delay, because the delay is a signed 32-bit integer:
 * https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timers.
 */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

const TOPIC_NAME = /^[A-Za-z0-9._-]{1,200}$/;

/** An error that names the rule and the value. */
export function mistake(rule: string, value: unknown, kind: Kind = TypeError): Error {
  return new kind(`${rule}, got ${show(value)}`);
}

type Kind = TypeErrorConstructor | RangeErrorConstructor;

/**
 * The error class for a value that is not in the bounds of a number: `RangeError` for a number, and
 * `TypeError` for any other value.
 */
export function kindFor(value: unknown): Kind {
  return typeof value === 'number' ? RangeError : TypeError;
}

/** Whether a log, a topic, a group, a member or a transactional id can have the name. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && TOPIC_NAME.test(name);
}

/**
 * Throws a `TypeError` for an invalid name. Names of logs and topics are part of the names of
 * databases, locks and channels, so only plain characters are allowed. Other names follow the same
 * rule.
 */
export function checkName(
  what: 'log name' | 'topic name' | 'group name' | 'member name' | 'transactional id' | 'topic id',
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

/**
 * Throws unless the value is an integer from `min` to `max`. Default of `max`: the largest safe
 * integer.
 */
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
 * `checkInteger` for the broker. Tabs check their arguments themselves, so this check fails only
 * for a tab of another build. The error shows the value by `String`, so that the worker's bundle
 * does not need `show`.
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

/** Throws unless the value is a number of milliseconds that a timer can wait for. */
export function checkMs(what: string, value: unknown, min = 0): asserts value is number {
  if (typeof value === 'number' && value >= min && value <= MAX_TIMER_MS) return;
  const bounds = `from ${min} to ${MAX_TIMER_MS}`;
  throw mistake(`${what} must be a number of milliseconds ${bounds}`, value, kindFor(value));
}

export function checkBoolean(what: string, value: unknown): asserts value is boolean {
  if (typeof value === 'boolean') return;
  throw mistake(`${what} must be true or false`, value);
}

/** `what` is the rule with the name of the call: 'sendBatch() takes an array of records'. */
export function checkArray(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw mistake(what, value);
}

/**
 * `what` is the beginning of the error, which the duplicate follows: 'consumer() was given the
 * topic'.
 */
export function checkDistinct(what: string, values: readonly (string | number)[]): void {
  const twice = values.find((value, i) => values.indexOf(value) < i);
  if (twice !== undefined) throw new TypeError(`${what} ${show(twice)} twice`);
}

/** `what` is the rule with the name of the call: 'on() takes a function'. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw mistake(what, value);
}

/** Throws unless the value has the methods. The class of the value does not matter. */
export function checkMethods(what: string, value: unknown, methods: readonly string[]): void {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (methods.every((method) => typeof given[method] === 'function')) return;
  throw mistake(`${what} must have the methods ${methods.join(', ')}`, value);
}

/** `or`: an alternative to the strings, for the error: 'a function'. */
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

/**
 * The error of an unknown option or field. Without the error a misspelt name would silently have no
 * effect.
 */
export function unknown(what: string, name: string, known: Iterable<string>): TypeError {
  const all = [...known];
  const meant = suggestion(name, all);
  const takes = `${meant === '' ? 'it' : `${meant} It`} takes ${all.join(', ')}`;
  return new TypeError(`${what} ${show(name)}: ${takes}`);
}

/** `options` with `defaults` for the missing ones. The keys of `defaults` are the known options. */
export function withDefaults<T extends object>(what: string, options: Partial<T>, defaults: T): T {
  return { ...defaults, ...given(what, options, defaults) };
}

/** A check for each option. A check that returns a value replaces the option by the value. */
export type Checks<T extends object> = {
  readonly [K in keyof T]-?: (name: string, value: unknown) => unknown;
};

/**
 * The options that are not `undefined`, each checked by `checks`. The keys of `checks` are the
 * known options.
 */
export function checkEach<T extends object>(what: string, options: T, checks: Checks<T>): T {
  const checked = given(what, options, checks) as T;
  for (const name of Object.keys(checked) as (keyof T & string)[]) {
    checked[name] = (checks[name](name, checked[name]) ?? checked[name]) as T[keyof T & string];
  }
  return checked;
}

/**
 * The options that are not `undefined`. Throws a `TypeError` for an option that is no key of
 * `known`.
 */
function given<T extends object>(
  what: string,
  options: Partial<T>,
  known: T | Checks<T>,
): Partial<T> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw mistake(`${what} takes an object of options`, options);
  }
  // A signal has no keys of its own, so it would silently have no effect.
  if (isAbortSignal(options)) throw new TypeError(`${what} takes the signal as { signal }`);
  const entries = Object.entries(options);
  for (const [name] of entries) {
    if (Object.hasOwn(known, name)) continue;
    throw unknown(`${what} has no option`, name, Object.keys(known));
  }
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** The option that the calls with nothing else to choose share. */
export interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

const SIGNAL_CHECKS: Checks<SignalOptions> = { signal: checkSignal };

/** The checked signal of the options of a call; `what` names the call, as in 'send()'. */
export function signalOf(
  what: string,
  options: SignalOptions | undefined,
): AbortSignal | undefined {
  return options === undefined ? undefined : checkEach(what, options, SIGNAL_CHECKS).signal;
}

export function checkSignal(what: string, value: unknown): void {
  if (!isAbortSignal(value)) throw mistake(`${what} must be an AbortSignal`, value);
}
