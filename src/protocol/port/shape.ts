import { isName } from '../../base/argument.ts';

/**
 * Checks a value that came over a port. Returns the fault with the path to it, '.partition must be
 * …'; `undefined`: none. A shape formats nothing before it has found a fault, because produce and
 * fetch are checked as well.
 */
export type Shape = (value: unknown) => string | undefined;

/** The most characters of an id that is made by a tab or a broker. */
const MAX_ID = 200;

export const anything: Shape = () => undefined;
export const boolean: Shape = (value) => must(typeof value === 'boolean', 'true or false', value);
export const name: Shape = (value) => must(isName(value), 'a name', value);
export const id: Shape = text(MAX_ID);

export function text(max: number): Shape {
  const rule = `a string of at most ${max} characters`;
  return (value) => must(typeof value === 'string' && value.length <= max, rule, value);
}

/** A safe integer. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape {
  const rule = `an integer from ${min} to ${max}`;
  return (value) =>
    must(Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max, rule, value);
}

/** A number, or Infinity where `max` is; never NaN. */
export function number(min: number, max: number): Shape {
  const rule = `a number from ${min} to ${max}`;
  return (value) => must(typeof value === 'number' && value >= min && value <= max, rule, value);
}

export function oneOf(...allowed: readonly (string | null)[]): Shape {
  const rule = `one of ${allowed.join(', ')}`;
  return (value) => must(allowed.includes(value as string), rule, value);
}

/** An object of a built-in class of this realm, as structured cloning makes it. */
export function instance(type: ArrayBufferConstructor | RegExpConstructor): Shape {
  return (value) =>
    must(
      Object.prototype.toString.call(value) === `[object ${type.name}]`,
      `of the class ${type.name}`,
      value,
    );
}

export function optional(shape: Shape): Shape {
  return (value) => (value === undefined ? undefined : shape(value));
}

export function nullable(shape: Shape): Shape {
  return (value) => (value === null ? undefined : shape(value));
}

/** An array of at most `max` values. The length is checked before any value. */
export function list(each: Shape, max: number): Shape {
  const rule = `an array of at most ${max} values`;
  return (value) => {
    if (!Array.isArray(value) || value.length > max) return must(false, rule, value);
    for (let i = 0; i < value.length; i++) {
      const fault = each(value[i]);
      if (fault !== undefined) return `[${i}]${fault}`;
    }
    return undefined;
  };
}

/** A shape for each property of a request: the type checks that none is missing. */
export type ShapesOf<T extends object> = { readonly [K in keyof T]-?: Shape };

/** An object with these properties; its other properties are not read. */
export function object(shapes: Readonly<Record<string, Shape>>): Shape {
  const entries = Object.entries(shapes);
  return (value) => {
    if (typeof value !== 'object' || value === null) return must(false, 'an object', value);
    for (const [key, shape] of entries) {
      const fault = shape((value as Readonly<Record<string, unknown>>)[key]);
      if (fault !== undefined) return `.${key}${fault}`;
    }
    return undefined;
  };
}

/** The shape, then a bound of the sum of a figure over the values of an array. */
export function atMost(
  shape: Shape,
  what: string,
  max: number,
  sum: (value: never) => number,
): Shape {
  return (value) => {
    const fault = shape(value);
    if (fault !== undefined) return fault;
    const total = sum(value as never);
    return total <= max ? undefined : ` must have ${max} ${what} at the most, got ${total}`;
  };
}

function must(holds: boolean, rule: string, value: unknown): string | undefined {
  return holds ? undefined : ` must be ${rule}, got ${kindOf(value)}`;
}

/** A value in an error. Neither calls a method of the value nor shows what may be long. */
function kindOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (Array.isArray(value)) return `an array of ${value.length} values`;
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;
}
