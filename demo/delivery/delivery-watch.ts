import { describeConnectors } from '../../src/connect.ts';
import type { ConnectorDescription } from '../../src/connect.ts';
import { TablogError } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { CONNECTOR, githubEvents, isFromEmptying } from '../demo-log.ts';
import type { ServerBehaviour } from '../server/protocol.ts';
import type { DeliveryState } from './delivery-state.ts';
import type { Delivery } from './delivery.ts';
import { askServer, tellServer } from './server-client.ts';

/** Two looks within a blink; a look is a request to the server. */
const LOOK_EVERY_MS = 250;

export interface DeliveryWatchEvents {
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

/** Keeps looking at how far the server is, while the page is seen. */
export class DeliveryWatch {
  readonly #log: Log;
  readonly #delivery: Delivery;
  readonly #state: DeliveryState;
  readonly #events: DeliveryWatchEvents;
  /** Looks come one after the other, so that none tells of before the server was told something. */
  #looked: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor(log: Log, delivery: Delivery, state: DeliveryState, events: DeliveryWatchEvents) {
    this.#log = log;
    this.#delivery = delivery;
    this.#state = state;
    this.#events = events;
    setInterval(() => this.#lookIfSeen(), LOOK_EVERY_MS);
    document.addEventListener('visibilitychange', () => this.#lookIfSeen());
    this.#lookIfSeen();
  }

  /** Has the server behave so, and looks. */
  tell(behaviour: ServerBehaviour): void {
    void this.#look(behaviour);
  }

  #lookIfSeen(): void {
    if (document.visibilityState === 'visible' && !this.#isLooking) void this.#look();
  }

  #look(behaviour?: ServerBehaviour): Promise<void> {
    this.#isLooking = true;
    const looked = this.#looked.then(async () => {
      try {
        await this.#lookNow(behaviour);
      } catch (error) {
        if (!isFromEmptying(error)) this.#events.onError(error);
      } finally {
        this.#isLooking = this.#looked !== looked;
      }
    });
    return (this.#looked = looked);
  }

  async #lookNow(behaviour?: ServerBehaviour): Promise<void> {
    const [{ id }] = await this.#log.admin.describeTopics([githubEvents]);
    const [server, connector, status] = await Promise.all([
      behaviour === undefined ? askServer(id) : tellServer(id, behaviour),
      this.#describe(),
      this.#delivery.status(),
    ]);
    this.#state.take({ server, connector, status });
    this.#events.onChange();
  }

  async #describe(): Promise<ConnectorDescription | undefined> {
    try {
      return (await describeConnectors(this.#log, [CONNECTOR]))[0];
    } catch (error) {
      // No tab was ever connected.
      if (error instanceof TablogError && error.code === 'GROUP_ID_NOT_FOUND') return undefined;
      throw error;
    }
  }
}
