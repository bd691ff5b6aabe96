import { checkFunction, checkMs, checkOneOf, mistake } from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import type { HttpClientOptions } from './http-client.ts';

/** The checks of the options that every sink over HTTP has, for `checkEach`. */
export const HTTP_CHECKS: Checks<HttpClientOptions> = {
  url: checkUrl,
  headers: (name, value) => {
    if (typeof value === 'function' || (typeof value === 'object' && value !== null)) return;
    throw mistake(`${name} must be headers, or a function`, value);
  },
  auth: (_, value) => checkFunction('auth must be a function', value),
  timeoutMs: (name, value) => checkMs(name, value, 1),
  credentials: (name, value) => checkOneOf(name, value, ['omit', 'same-origin', 'include']),
  fetch: (_, value) => checkFunction('fetch must be a function', value),
};

export const HTTP_DEFAULTS = {
  headers: {},
  timeoutMs: 30_000,
  credentials: 'same-origin',
} as const;

/** Throws a `TypeError` unless the value is an http or https URL, or a function. */
export function checkUrl(name: string, url: unknown): void {
  if (typeof url === 'function') return;
  try {
    const { protocol } = new URL(url as string, globalThis.location?.href);
    if (protocol === 'http:' || protocol === 'https:') return;
  } catch {
    // the error below
  }
  throw mistake(`${name} must be an http or https URL, or a function`, url);
}
