import type { ConnectorDescription, ConnectorStatus } from '../../src/connect.ts';
import { History } from '../history.ts';
import type { ServerState, StoredPartition } from '../server/protocol.ts';

/** The findings of one look. */
export interface DeliveryLook {
  /** The connector of this tab; `undefined`: the tab has none. */
  readonly status: ConnectorStatus | undefined;
  /** The connector of all tabs; `undefined`: there never was one. */
  readonly connector: ConnectorDescription | undefined;
  /** `undefined`: the server cannot be reached. */
  readonly server: ServerState | undefined;
}

/** The known state of the way to the server, in every tab. */
export class DeliveryState {
  readonly #waitingHistory = new History();
  #look: DeliveryLook = { status: undefined, connector: undefined, server: undefined };

  get status(): ConnectorStatus | undefined {
    return this.#look.status;
  }

  get server(): ServerState | undefined {
    return this.#look.server;
  }

  /** The number of tabs that deliver. */
  get tabs(): number {
    return this.#look.connector?.members.length ?? 0;
  }

  /** Records that are stored, and not delivered yet; `undefined`: they were never to be. */
  get waiting(): number | undefined {
    return this.#look.connector?.partitions.reduce((sum, { lag }) => sum + lag, 0);
  }

  /** Records of which the tabs have noted that the server has them. */
  get delivered(): number {
    return this.#stored.reduce((sum, { partition, first }) => {
      const place = this.#look.connector?.partitions.find((one) => one.partition === partition);
      return sum + Math.max((place?.position ?? first) - first, 0);
    }, 0);
  }

  /** Records that the server has, by its own count. */
  get stored(): number {
    return this.#stored.reduce((sum, { records }) => sum + records, 0);
  }

  /** Records that the server has stored more than once. */
  get doubled(): number {
    return this.#stored.reduce((sum, { doubled }) => sum + doubled, 0);
  }

  /** Records that the server has not, though it has later ones of their partition. */
  get missing(): number {
    return this.#stored.reduce((sum, { first, position, records, doubled }) => {
      return sum + (position - first) - (records - doubled);
    }, 0);
  }

  /** The number of records that each tab has delivered, by the tab's name. */
  get byTab(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const { byTab } of this.#stored) {
      for (const [tab, records] of Object.entries(byTab)) {
        sums.set(tab, (sums.get(tab) ?? 0) + records);
      }
    }
    return sums;
  }

  get waitingHistory(): readonly number[] {
    return this.#waitingHistory.values;
  }

  take(look: DeliveryLook): void {
    this.#look = look;
  }

  step(now: number): void {
    this.#waitingHistory.step(now, () => this.waiting ?? 0);
  }

  get #stored(): readonly StoredPartition[] {
    return this.#look.server?.partitions ?? [];
  }
}
