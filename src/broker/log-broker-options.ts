import type { Liveness } from '../platform/locks/liveness.ts';
import type { Platform } from '../platform/platform.ts';
import type { OpenStoreOptions } from '../store/store-factory.ts';
import type { Store } from '../store/store.ts';
import type { Diagnostics } from './diagnostics/diagnostics.ts';

export interface LogBrokerOptions extends Platform {
  readonly name: string;
  /**
   * With `mustExist`, rejects with `CLOSED` where the log does not exist, instead of creating it.
   */
  readonly openStore: (
    options: Pick<OpenStoreOptions, 'mustExist' | 'onUnrecoverable'>,
  ) => Promise<Store>;
  /** Default: liveness by the platform's locks. */
  readonly liveness?: Liveness;
  /** Default: those of a broker in the thread of its one client. */
  readonly diagnostics?: Diagnostics;
}
