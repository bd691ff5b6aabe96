import { timeOf } from './brand.ts';

/**
 * The most UTF-16 units of a text, and the most property names of an object, that an error shows.
 */
const MAX_TEXT = 80;
const MAX_NAMES = 6;

/**
 * The text for a value in an error: one short line, without an object's property values, which may
 * be private. Never throws, and calls no getter.
 */
export function show(value: unknown): string {
  try {
    return describe(value);
  } catch {
    // A trap of a Proxy can throw.
    return `a${typeof value === 'object' ? 'n object' : ` ${typeof value}`} that cannot be read`;
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MAX_TEXT));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return describeFunction(value);
  if (typeof value !== 'object' || value === null) return String(value).slice(0, MAX_TEXT);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const time = timeOf(value);
  if (time !== undefined) return showTime(time);
  const name = classOf(value);
  if (ArrayBuffer.isView(value)) return `${withArticle(name)} of ${value.byteLength} bytes`;
  const names = Object.keys(value);
  if (names.length === 0) return name === 'Object' ? '{}' : withArticle(name);
  const shown = names.slice(0, MAX_NAMES).map((key) => key.slice(0, MAX_TEXT / 2));
  if (names.length > MAX_NAMES) shown.push('…');
  return `${name === 'Object' ? '' : `${name} `}{ ${shown.join(', ')} }`;
}

function showTime(time: number): string {
  return Number.isNaN(time) ? 'an invalid Date' : new Date(time).toISOString();
}

function describeFunction(value: unknown): string {
  const name: unknown = Object.getOwnPropertyDescriptor(value, 'name')?.value;
  const isClass = Function.prototype.toString.call(value).startsWith('class');
  const kind = isClass ? 'class' : 'function';
  return typeof name === 'string' && name !== ''
    ? `the ${kind} ${name.slice(0, MAX_TEXT)}`
    : `a ${kind}`;
}

/**
 * The class name, read from the data property `constructor` of the prototype; else 'Object'. A
 * getter is not called.
 */
function classOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return 'Object';
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  const name: unknown =
    typeof made === 'function' ? Object.getOwnPropertyDescriptor(made, 'name')?.value : undefined;
  return typeof name === 'string' && name !== '' ? name.slice(0, MAX_TEXT / 2) : 'Object';
}

function withArticle(name: string): string {
  return `${/^[AEIOU](?!i)/i.test(name) && !/^U(?:int|n|R)/.test(name) ? 'an' : 'a'} ${name}`;
}
