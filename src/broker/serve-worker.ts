import { systemClock } from '../platform/clock.ts';
import { serveBroker } from '../protocol/port/serve-broker.ts';
import { PROTOCOL_VERSION } from '../protocol/broker.ts';
import { LivenessLock, heldInTime, lockLiveness } from '../platform/locks/liveness.ts';
import { Diagnostics, failedCall } from './diagnostics/diagnostics.ts';
import type { LogBroker } from './log-broker.ts';
import { openBroker } from './open-broker.ts';
import type { BrokerOptions } from './open-broker.ts';

/**
 * A worker's global scope, or a port. The property `onconnect` distinguishes a SharedWorker's
 * scope, to which every tab connects by its own port, from a dedicated worker's scope.
 */
export interface WorkerScope extends EventTarget {
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

/** The time after its death for which a tab's messages are still heard, in milliseconds. */
const LAST_WORDS_MS = 1_000;

/** A log that this worker serves, to the tabs whose ids are `clients`. */
interface ServedLog {
  readonly broker: LogBroker;
  readonly diagnostics: Diagnostics;
  readonly clients: Set<string>;
}

export type ServeWorkerOptions = Omit<BrokerOptions, 'log'>;

/**
 * Makes this worker a host of brokers: a SharedWorker serves every tab that connects, a dedicated
 * worker serves the tab that made it. Listeners are attached at once, before any `await`: a message
 * that arrived before its listener would be lost.
 */
export function serveWorker(
  scope: WorkerScope,
  { store, platform = {} }: ServeWorkerOptions,
): void {
  const { clock = systemClock, crypto, locks } = platform;
  const forever = new AbortController().signal;
  // A tab that has seen the lock free says hello again, and gets the id of the lock that is held now.
  const alive = new LivenessLock('broker', { signal: forever, locks, crypto });
  alive.hold().catch(() => {}); // the hello of each tab rejects with the error
  const host = 'onconnect' in scope ? 'shared' : 'dedicated';
  const logs = new Map<string, ServedLog>();

  const serveLog = (log: string): ServedLog => {
    const served = logs.get(log);
    // Clients of a deleted log keep their closed broker, which never creates the log again.
    if (served !== undefined && !served.broker.isClosed) return served;
    const clients = new Set<string>();
    const diagnostics = new Diagnostics({
      clock,
      brokerId: () => alive.id,
      host,
      clients: () => clients.size,
    });
    const broker = openBroker({ log, store, platform }, diagnostics);
    const made = { broker, diagnostics, clients };
    logs.set(log, made);
    return made;
  };

  const serve = (endpoint: WorkerScope, hangUp: () => void): void => {
    serveBroker(endpoint, async ({ log, clientId }) => {
      const brokerId = await heldInTime(clock, alive.hold());
      const { broker, diagnostics, clients } = serveLog(log);
      const died = (): void => {
        clients.delete(clientId);
        diagnostics.record('clientDied', { clientId });
        broker.forget(clientId);
        // Messages that the tab posted in its last turn may still wait in the port's queue.
        clock.after(LAST_WORDS_MS, hangUp);
      };
      lockLiveness(locks).onDeath('client', clientId, forever, died);
      clients.add(clientId);
      diagnostics.record('clientConnected', { clientId });
      return {
        response: { protocol: PROTOCOL_VERSION, brokerId },
        broker,
        onFailed: (method, error) => diagnostics.record(...failedCall(method, error)),
      };
    });
  };

  if (host === 'shared') {
    scope.addEventListener('connect', (event) => {
      const [port] = (event as MessageEvent).ports;
      serve(port!, () => port!.close());
    });
  } else {
    serve(scope, () => {});
  }
}
