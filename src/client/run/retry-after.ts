import { checkMs } from '../../base/argument.ts';

/**
 * The error that a handler throws to get its message again later, as after a server's Retry-After
 * header.
 */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';
  readonly #ms: number;

  constructor(ms: number, cause?: unknown) {
    checkMs('retryAfter()', ms);
    super(`to be handled again in ${ms} ms`, cause === undefined ? undefined : { cause });
    this.#ms = ms;
  }

  /**
   * The wait in milliseconds; `undefined` for any other thrown value. The check of the private
   * field calls no trap of a Proxy, so it cannot throw.
   */
  static msOf(thrown: unknown): number | undefined {
    return typeof thrown === 'object' && thrown !== null && #ms in thrown ? thrown.#ms : undefined;
  }
}
