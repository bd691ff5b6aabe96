import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import { STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { PROTOCOL_VERSION } from './broker.ts';
import type { Endpoint } from './broker-port.ts';

/** A connection between two brokers; each has its end. */
export interface Peer {
  readonly endpoint: Endpoint;
  close(): void;
}

/** What is said where all listen: who leads, and who wants a connection to it. */
type Notice = { readonly kind: 'leads' } | { readonly kind: 'call'; readonly from: string };

/** The first message on a connection: the leader listens. */
const READY = 'ready';

/**
 * How brokers reach the one that leads. Workers of different tabs have no ports to each other, so a
 * connection is a BroadcastChannel that only its two ends know.
 */
export class PeerChannel {
  readonly #name: string;
  #channel: BroadcastChannel | undefined;
  readonly #onCall: (peer: Peer) => void;
  readonly #onLeader: () => void;
  #isLeading = false;

  /** `onCall`: somebody wants a connection to this one. `onLeader`: somebody else leads from now on. */
  constructor(name: string, onCall: (peer: Peer) => void, onLeader: () => void) {
    this.#name = `tablog/${PROTOCOL_VERSION}/${name}`;
    this.#onCall = onCall;
    this.#onLeader = onLeader;
    this.#channel = openChannel(this.#name);
    this.#channel?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      this.#heard(data);
    });
  }

  /** Answers calls from now on. */
  lead(): void {
    this.#isLeading = true;
    this.#post({ kind: 'leads' });
  }

  follow(): void {
    this.#isLeading = false;
  }

  /** Connects to whoever leads; `undefined` where nobody answers in time, or `signal` aborts. */
  async dial(
    id: string,
    { clock, deadlineMs, signal }: DialPeerOptions,
  ): Promise<Peer | undefined> {
    const channel = openChannel(`${this.#name}/${id}`);
    if (channel === undefined) {
      const happened =
        'another broker has the records, and there is no BroadcastChannel to reach it';
      throw new TablogError(STORAGE_UNAVAILABLE, happened);
    }
    const { promise: answered, resolve } = deferred();
    let isReady = false;
    channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      isReady ||= data === READY;
      if (isReady) resolve();
    });
    const cancel = clock.after(deadlineMs, resolve);
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#post({ kind: 'call', from: id });
    await answered;
    cancel();
    if (isReady && !signal.aborted) return peerOf(channel);
    channel.close();
    return undefined;
  }

  close(): void {
    this.#isLeading = false;
    this.#channel?.close();
    this.#channel = undefined;
  }

  #heard(data: unknown): void {
    if (!isNotice(data)) return;
    if (data.kind === 'leads') {
      this.#onLeader();
    } else if (this.#isLeading) {
      const channel = openChannel(`${this.#name}/${data.from}`)!;
      this.#onCall(peerOf(channel));
      channel.postMessage(READY);
    }
  }

  #post(notice: Notice): void {
    this.#channel?.postMessage(notice);
  }
}

export interface DialPeerOptions {
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

function openChannel(name: string): BroadcastChannel | undefined {
  if (typeof BroadcastChannel === 'undefined') return undefined;
  const channel = new BroadcastChannel(name);
  // In Node an open channel would keep the process alive.
  (channel as { unref?: () => void }).unref?.();
  return channel;
}

/** What goes through a BroadcastChannel is copied: nothing can be transferred. */
function peerOf(channel: BroadcastChannel): Peer {
  let isOpen = true;
  return {
    endpoint: {
      postMessage: (message) => {
        if (isOpen) channel.postMessage(message);
      },
      addEventListener: (type, listener) => channel.addEventListener(type, listener),
    },
    close: () => {
      isOpen = false;
      channel.close();
    },
  };
}

/** Any script of the origin can post here. */
function isNotice(data: unknown): data is Notice {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, from } = data as Readonly<Record<string, unknown>>;
  return kind === 'leads' || (kind === 'call' && typeof from === 'string');
}
