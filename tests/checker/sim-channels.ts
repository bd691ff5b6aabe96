import { vi } from 'vitest';
import { Lane } from './sim-time.ts';
import type { Realm, SimTime } from './sim-time.ts';

export interface SimChannels {
  /** Runs `open`. Channels that `open` makes belong to this realm. */
  inRealm<T>(realm: Realm, open: () => T): T;
}

interface Receiver {
  readonly name: string;
  readonly realm: Realm;
  readonly lane: Lane;
  readonly receive: (event: { readonly data: unknown }) => void;
}

/**
 * Replaces `BroadcastChannel` by a channel that delays each message by `delay()`, and loses a
 * message when `isLost()`.
 */
export function stubChannels(
  time: SimTime,
  delay: () => number,
  isLost: () => boolean,
): SimChannels {
  const receivers = new Set<Receiver>();
  let realm: Realm | undefined;

  class SimChannel {
    readonly #name: string;
    readonly #realm: Realm;
    readonly #mine: Receiver[] = [];

    constructor(name: string) {
      if (realm === undefined) throw new Error('a channel is opened outside of a realm');
      this.#name = name;
      this.#realm = realm;
    }

    addEventListener(_type: 'message', receive: Receiver['receive']): void {
      const lane = new Lane(time, delay);
      const receiver = { name: this.#name, realm: this.#realm, lane, receive };
      this.#mine.push(receiver);
      receivers.add(receiver);
    }

    postMessage(message: unknown): void {
      for (const receiver of receivers) {
        if (receiver.name !== this.#name || this.#mine.includes(receiver) || isLost()) continue;
        const data = structuredClone(message);
        receiver.lane.send(receiver.realm, () => {
          if (receivers.has(receiver)) receiver.receive({ data });
        });
      }
    }

    close(): void {
      for (const receiver of this.#mine) receivers.delete(receiver);
    }
  }

  vi.stubGlobal('BroadcastChannel', SimChannel);
  return {
    inRealm: (of, open) => {
      const outer = realm;
      realm = of;
      try {
        return open();
      } finally {
        realm = outer;
      }
    },
  };
}
