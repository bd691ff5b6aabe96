import { checkEach, checkFunction, checkMethods } from '../base/argument.ts';
import type { OpenChannel } from './broadcast.ts';
import type { Clock } from './clock.ts';
import type { RandomSource } from './random-id.ts';

/** What tablog uses of a `LockManager`, in the shape that `navigator.locks` has. */
export type Locks = Pick<LockManager, 'request' | 'query'>;

/** The locks of a platform: `undefined`: the Web Locks of this context; `null`: none. */
export type GivenLocks = Locks | null | undefined;

/**
 * What a broker takes from the place in which it runs, beside the store. Leave out what the place
 * has by the web's own names. All brokers of a log, and all tabs that use it, must have the same
 * locks and the same channels.
 *
 * Neither locks nor channels decide what is stored: without them everything that is acknowledged
 * stays acknowledged, in the same order.
 */
export interface Platform {
  /** The time, and timers. Default: `Date.now` and `setTimeout`. */
  readonly clock?: Clock | undefined;
  /** The source of ids, which must be distinct and need not be secret. Default: `crypto`. */
  readonly crypto?: RandomSource | undefined;
  /**
   * What tells the death of a tab or a worker, and elects the broker that has the topics in memory:
   * an object with `request` and `query` as `navigator.locks` has them. Default: `navigator.locks`.
   *
   * `null`: none, as where the default is missing. Then everybody is thought to run in one thread:
   * a member of a group that is gone keeps its partitions for its `sessionTimeoutMs`, background
   * work may be done twice at once, and each thread has topics in memory of its own. Brokers in
   * workers refuse to serve: `LOCKS_UNAVAILABLE`.
   */
  readonly locks?: GivenLocks;
  /**
   * Opens what brokers and tabs tell each other by: an object like `new BroadcastChannel(name)`.
   * Default: `BroadcastChannel`.
   *
   * `null`: none, as where the default is missing. Then a record that another broker has stored is
   * read when the fetch that waits for it ends, and not at once; other brokers' topics in memory
   * cannot be reached, and are `STORAGE_UNAVAILABLE`; and a member of a group can be taken for
   * silent by the brokers of other members, and lose its partitions to them.
   */
  readonly openChannel?: OpenChannel;
}

/** Throws a `TypeError` for what is no `Platform`. */
export function checkPlatform(_: string, platform: unknown): void {
  checkEach<Platform>('platform', platform as Platform, {
    clock: (_name, clock) => checkMethods('platform.clock', clock, ['now', 'after']),
    crypto: (_name, crypto) => checkMethods('platform.crypto', crypto, ['getRandomValues']),
    locks: (_name, locks) => {
      if (locks !== null) checkMethods('platform.locks', locks, ['request', 'query']);
    },
    openChannel: (_name, open) => {
      if (open !== null) checkFunction('platform.openChannel must be a function or null', open);
    },
  });
}
