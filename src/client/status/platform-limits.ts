import type { Platform } from '../../platform/platform.ts';
import { hasLocks } from '../../platform/locks/locks.ts';
import type { PlatformLimited } from './log-status.ts';

/** A worker's kind, or what tells whether one thread has all logs of the host. */
export type ObservedHost = string | { readonly isOneThread?: boolean };

/** The statuses of the parts that this context lacks, by which the threads of a log know of each other. */
export function limitsOf(
  host: ObservedHost,
  { locks, openChannel }: Platform,
): Omit<PlatformLimited, 'timestamp'>[] {
  // Where one thread has everything, there is nobody to know of.
  if (typeof host === 'object' && host.isOneThread === true) return [];
  const hasChannels = openChannel === undefined ? 'BroadcastChannel' in globalThis : openChannel;
  const missing: PlatformLimited['missing'][] = [];
  if (!hasLocks(locks)) missing.push('locks');
  if (!hasChannels) missing.push('channels');
  return missing.map((each) => ({ type: 'platformLimited', missing: each }));
}
