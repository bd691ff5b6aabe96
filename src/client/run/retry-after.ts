import { checkMs } from '../../base/argument.ts';

/** Thrown by a handler to get its message again later, as a server's Retry-After asks. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';
  readonly #ms: number;

  constructor(ms: number, cause?: unknown) {
    checkMs('retryAfter()', ms);
    super(`to be handled again in ${ms} ms`, cause === undefined ? undefined : { cause });
    this.#ms = ms;
  }

  /**
   * The wait in milliseconds; `undefined` where something else was thrown, a Proxy that throws
   * included.
   */
  static msOf(thrown: unknown): number | undefined {
    return typeof thrown === 'object' && thrown !== null && #ms in thrown ? thrown.#ms : undefined;
  }
}
