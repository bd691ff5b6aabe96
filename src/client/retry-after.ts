import { checkMs } from '../base/argument.ts';

/** What a handler throws to get its message again later, as a server's Retry-After asks for. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';
  readonly ms: number;

  constructor(ms: number, cause?: unknown) {
    checkMs('retryAfter()', ms);
    super(`to be handled again in ${ms} ms`, cause === undefined ? undefined : { cause });
    this.ms = ms;
  }
}
