import { randomId } from '../platform/random-id.ts';
import { serveBroker } from '../protocol/serve-broker.ts';
import { PROTOCOL_VERSION } from '../protocol/broker.ts';
import { holdLivenessLock, lockLiveness } from '../platform/liveness.ts';
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
  const { crypto, locks } = platform;
  const brokerId = randomId(crypto);
  const forever = new AbortController().signal;
  const alive = holdLivenessLock('broker', brokerId, forever, locks);
  alive.catch(() => {}); // the hello of each tab rejects with the error
  const brokers = new Map<string, LogBroker>();

  const brokerOf = (log: string): LogBroker => {
    let broker = brokers.get(log);
    // Clients of a deleted log keep their closed broker, which never creates the log again.
    if (broker === undefined || broker.isClosed) {
      broker = openBroker({ log, store, platform });
      brokers.set(log, broker);
    }
    return broker;
  };

  const serve = (endpoint: WorkerScope, hangUp: () => void): void => {
    serveBroker(endpoint, async ({ log, clientId }) => {
      await alive;
      const broker = brokerOf(log);
      const died = (): void => {
        broker.forget(clientId);
        hangUp();
      };
      lockLiveness(locks).onDeath('client', clientId, forever, died);
      return { response: { protocol: PROTOCOL_VERSION, brokerId }, broker };
    });
  };

  if ('onconnect' in scope) {
    scope.addEventListener('connect', (event) => {
      const [port] = (event as MessageEvent).ports;
      serve(port!, () => port!.close());
    });
  } else {
    serve(scope, () => {});
  }
}
