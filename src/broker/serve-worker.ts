import { randomId } from '../platform/random-id.ts';
import { serveBroker } from '../protocol/serve-broker.ts';
import { PROTOCOL_VERSION } from '../protocol/broker.ts';
import { holdLivenessLock, onDeath } from '../platform/liveness.ts';
import { openIdbStore } from '../store/indexeddb/idb-store.ts';
import { LogBroker } from './log-broker.ts';

/** A worker's global scope: `onconnect` tells a SharedWorker's from a dedicated worker's. */
export interface WorkerScope extends EventTarget {
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

/**
 * Makes this worker a host of brokers: a SharedWorker serves every tab that connects, a dedicated
 * worker the tab that made it. Listeners are attached at once, before anything is awaited: a
 * message that comes earlier would be lost.
 */
export function serveWorker(scope: WorkerScope): void {
  const brokerId = randomId();
  const forever = new AbortController().signal;
  const alive = holdLivenessLock('broker', brokerId, forever);
  alive.catch(() => {}); // each tab that says hello gets the error
  const brokers = new Map<string, LogBroker>();

  const brokerOf = (name: string): LogBroker => {
    let broker = brokers.get(name);
    // Clients of a deleted log keep their closed broker, which never creates the log again.
    if (broker === undefined || broker.isClosed) {
      broker = new LogBroker({ name, openStore: (options) => openIdbStore(name, options) });
      brokers.set(name, broker);
    }
    return broker;
  };

  const serve = (endpoint: WorkerScope, hangUp: () => void): void => {
    serveBroker(endpoint, async ({ log, clientId }) => {
      await alive;
      const broker = brokerOf(log);
      onDeath('client', clientId, forever, () => {
        broker.forget(clientId);
        hangUp();
      });
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
