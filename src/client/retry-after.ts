import { checkMs } from '../base/argument.ts';

/** A handler throws it to get its message again later, as a server's Retry-After asks for. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';
  readonly #ms: number;

  constructor(ms: number, cause?: unknown) {
    checkMs('retryAfter()', ms);
    super(`to be handled again in ${ms} ms`, cause === undefined ? undefined : { cause });
    this.#ms = ms;
  }

  /** After how long, where that is what was thrown: anything can be, also a Proxy that throws. */
  static msOf(thrown: unknown): number | undefined {
    return typeof thrown === 'object' && thrown !== null && #ms in thrown ? thrown.#ms : undefined;
  }
}
