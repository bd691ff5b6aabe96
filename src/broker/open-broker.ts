import { systemClock } from '../platform/clock.ts';
import type { Platform } from '../platform/platform.ts';
import type { StoreFactory } from '../store/store-factory.ts';
import type { Diagnostics } from './diagnostics/diagnostics.ts';
import { LogBroker } from './log-broker.ts';

export interface BrokerOptions {
  /** The log's name. */
  readonly log: string;
  /** Where the log is stored; only `open` is used. */
  readonly store: Pick<StoreFactory, 'open'>;
  /** The clock, locks, channels and random source of the context. Default: the web's globals. */
  readonly platform?: Platform;
}

/** Makes a broker, which opens its store at the first call. `diagnostics`: those of a worker. */
export function openBroker(
  { log, store, platform = {} }: BrokerOptions,
  diagnostics?: Diagnostics,
): LogBroker {
  const { clock = systemClock, crypto, locks, openChannel } = platform;
  return new LogBroker({
    clock,
    crypto,
    locks,
    openChannel,
    ...(diagnostics && { diagnostics }),
    name: log,
    openStore: (opening) => store.open(log, { ...opening, clock, crypto }),
  });
}
