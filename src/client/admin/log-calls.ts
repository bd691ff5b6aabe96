import { abortable } from '../../base/abortable.ts';
import { signalOf } from '../../base/argument.ts';
import type { BrokerDiagnostics } from '../../protocol/diagnostics.ts';
import type { Connection } from '../connection/connection.ts';
import type { AdminOptions } from './admin-options.ts';

/** The broker that serves this tab, and what has happened in it: see `log.diagnostics()`. */
export interface LogDiagnostics extends BrokerDiagnostics {
  /** The id of this tab, as the entries name it. */
  readonly clientId: string;
}

/** The implementation of `log.diagnostics()`. */
export async function readDiagnostics(
  connection: Connection,
  options: AdminOptions | undefined,
): Promise<LogDiagnostics> {
  const signal = signalOf('diagnostics()', options);
  signal?.throwIfAborted();
  const diagnostics = await abortable(signal, connection.call('describeBroker', null));
  return { clientId: connection.clientId, ...diagnostics };
}

/** The implementation of `log.persist()`. */
export async function persistOrigin(): Promise<boolean> {
  try {
    return (await globalThis.navigator?.storage?.persist?.()) ?? false;
  } catch {
    return false; // a sandboxed frame without storage
  }
}
