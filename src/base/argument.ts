/**
 * Checks of a caller's arguments. Each throws at the call, and its message names the rule and the
 * value: `TypeError` for the wrong kind of thing, `RangeError` for a number out of bounds.
 */

const TOPIC_NAME = /^[A-Za-z0-9._-]{1,200}$/;

/** A value as an error shows it: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString();
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value);
  return String(value).slice(0, 80);
}

/** Names of logs and topics are part of names of databases, locks and channels, so kept plain; others follow. */
export function checkName(
  what: 'log' | 'topic' | 'group' | 'member' | 'transactional id',
  name: unknown,
): asserts name is string {
  if (typeof name === 'string' && TOPIC_NAME.test(name)) return;
  throw new TypeError(
    `a ${what} name must be 1 to 200 of the characters A-Z a-z 0-9 . _ -, got ${show(name)}`,
  );
}

/** An integer from `min` to `max` (default: no bound but safe integers). */
export function checkInteger(
  what: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const text = `${what} must be an integer ${bounds}, got ${show(value)}`;
  throw typeof value === 'number' ? new RangeError(text) : new TypeError(text);
}

/** A number of milliseconds: finite and not negative. */
export function checkMs(what: string, value: unknown): asserts value is number {
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return;
  const text = `${what} must be a number of milliseconds of at least 0, got ${show(value)}`;
  throw typeof value === 'number' ? new RangeError(text) : new TypeError(text);
}

export function checkBoolean(what: string, value: unknown): asserts value is boolean {
  if (typeof value === 'boolean') return;
  throw new TypeError(`${what} must be true or false, got ${show(value)}`);
}

/** `what` names the call and what it takes: 'sendBatch() takes an array of records'. */
export function checkArray(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${what}, got ${show(value)}`);
}

export function checkOneOf<T extends string>(
  what: string,
  value: unknown,
  allowed: readonly T[],
): asserts value is T {
  if (allowed.includes(value as T)) return;
  throw new TypeError(`${what} must be one of ${allowed.map(show).join(', ')}, got ${show(value)}`);
}

/**
 * `options` over `defaults`, whose keys are all that there are: a misspelt option would otherwise be
 * without effect and without a word.
 */
export function withDefaults<T extends object>(what: string, options: Partial<T>, defaults: T): T {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what} takes an object of options, got ${show(options)}`);
  }
  const merged = { ...defaults };
  for (const name of Object.keys(options) as (keyof T & string)[]) {
    const value = options[name];
    if (!Object.hasOwn(defaults, name)) {
      const known = Object.keys(defaults).join(', ');
      throw new TypeError(`${what} has no option ${show(name)}: it takes ${known}`);
    }
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}
