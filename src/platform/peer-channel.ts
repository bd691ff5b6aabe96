import { deadline } from './clock.ts';
import type { Clock } from './clock.ts';
import { deferred } from '../base/deferred.ts';
import { STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { randomId } from './random-id.ts';
import { openBroadcast } from './broadcast.ts';
import type { Broadcast } from './broadcast.ts';
import type { Endpoint } from './endpoint.ts';

/** A connection between two brokers; each has its end. */
export interface Peer {
  readonly endpoint: Endpoint;
  close(): void;
}

/**
 * What is said where all listen. It stays as it is for good: one leads for brokers of every build, and
 * those whose protocol is another one hear of that from its hello, and do not take over.
 */
type Notice =
  | { readonly kind: 'leads' }
  /** Somebody wants a connection to whoever leads. */
  | { readonly kind: 'call'; readonly from: string }
  /** Whoever leads listens there. */
  | { readonly kind: 'answer'; readonly to: string; readonly at: string };

/**
 * How brokers reach the one that leads. Workers of different tabs have no ports to each other, so a
 * connection is a BroadcastChannel that only its two ends know.
 *
 * Its name comes from the one that answers: another one may still believe that it leads, as it wakes
 * up and hears calls of long ago, and would be the third on a channel that the caller named.
 */
export class PeerChannel {
  readonly #name: string;
  #channel: Broadcast | undefined;
  readonly #onCall: (peer: Peer) => void;
  readonly #onLeader: () => void;
  /** Those who wait for an answer. */
  readonly #calls = new Map<string, (at: string) => void>();
  /** Whether there is a channel, or was before `close`. */
  readonly #isHeard: boolean;
  #isLeading = false;

  /** `onCall`: somebody wants a connection to this one. `onLeader`: somebody else leads from now on. */
  constructor(name: string, onCall: (peer: Peer) => void, onLeader: () => void) {
    this.#name = `tablog/${name}`;
    this.#onCall = onCall;
    this.#onLeader = onLeader;
    this.#channel = openBroadcast(this.#name);
    this.#isHeard = this.#channel !== undefined;
    this.#channel?.listen(({ data }) => this.#heard(data));
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
    if (!this.#isHeard) throw unreachable();
    const { promise: answered, resolve } = deferred<string | undefined>();
    const giveUp = (): void => resolve(undefined);
    const cancel = deadline(clock, deadlineMs, giveUp);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    this.#calls.set(id, resolve);
    this.#post({ kind: 'call', from: id });
    const at = await answered;
    this.#calls.delete(id);
    cancel();
    signal.removeEventListener('abort', giveUp);
    if (at === undefined || signal.aborted) return undefined;
    const peer = this.#open(at);
    if (peer === undefined) throw unreachable();
    return peer;
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
    } else if (data.kind === 'answer') {
      this.#calls.get(data.to)?.(data.at);
    } else if (this.#isLeading) {
      const at = randomId();
      const peer = this.#open(at);
      if (peer === undefined) return; // the caller's deadline reports it
      this.#onCall(peer); // listens before the peer knows where
      this.#post({ kind: 'answer', to: data.from, at });
    }
  }

  #open(at: string): Peer | undefined {
    const channel = openBroadcast(`${this.#name}/${at}`);
    return channel && peerOf(channel);
  }

  #post(notice: Notice): void {
    this.#channel?.post(notice);
  }
}

export interface DialPeerOptions {
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** What goes through a BroadcastChannel is copied: nothing can be transferred. */
function peerOf(channel: Broadcast): Peer {
  return {
    endpoint: {
      postMessage: (message) => channel.post(message),
      addEventListener: (_, listener) => channel.listen(listener),
    },
    close: () => channel.close(),
  };
}

function unreachable(): TablogError {
  const happened = 'the broker with the records cannot be reached without BroadcastChannel';
  return new TablogError(STORAGE_UNAVAILABLE, happened);
}

/** Any script of the origin can post here. */
function isNotice(data: unknown): data is Notice {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, from, to, at } = data as Readonly<Record<string, unknown>>;
  if (kind === 'answer') return typeof to === 'string' && typeof at === 'string';
  return kind === 'leads' || (kind === 'call' && typeof from === 'string');
}
