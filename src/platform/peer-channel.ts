import { deadline } from './clock.ts';
import type { Clock } from './clock.ts';
import { deferred } from '../base/deferred.ts';
import { STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { randomId } from './random-id.ts';
import { openBroadcast } from './broadcast.ts';
import type { Broadcast } from './broadcast.ts';
import type { Platform } from './platform.ts';
import type { Endpoint } from './endpoint.ts';

/** One end of a connection between two brokers. */
export interface Peer {
  readonly endpoint: Endpoint;
  close(): void;
}

/**
 * A message on the channel that all brokers of a log share. The format never changes, because one
 * leader serves brokers of every build. A broker with another protocol version gets
 * `PROTOCOL_MISMATCH` from the leader's hello, and must not depose that leader.
 */
type Notice =
  | { readonly kind: 'leads' }
  /** The broker `from` wants a connection to the leader. */
  | { readonly kind: 'call'; readonly from: string }
  /** The leader listens on the channel `at`. */
  | { readonly kind: 'answer'; readonly to: string; readonly at: string };

/**
 * Connects brokers to the leader. Workers of different tabs have no ports to each other, so a
 * connection is a BroadcastChannel whose name only the two ends know.
 *
 * The leader makes up the name, not the caller: a deposed leader that wakes up answers old calls
 * too, and would become the third end of a channel that the caller had named.
 */
export class PeerChannel {
  readonly #name: string;
  #channel: Broadcast | undefined;
  readonly #onCall: (peer: Peer) => void;
  readonly #onLeader: () => void;
  /** The calls without an answer, by the caller's id. */
  readonly #calls = new Map<string, (at: string) => void>();
  /** Whether this context has BroadcastChannel; stays true after `close`. */
  readonly #isHeard: boolean;
  readonly #platform: Pick<Platform, 'openChannel' | 'crypto'>;
  #isLeading = false;

  /**
   * `onCall`: a broker has connected to this leader. `onLeader`: another broker says that it leads.
   */
  constructor(
    name: string,
    onCall: (peer: Peer) => void,
    onLeader: () => void,
    platform: Pick<Platform, 'openChannel' | 'crypto'> = {},
  ) {
    this.#name = `tablog/${name}`;
    this.#platform = platform;
    this.#onCall = onCall;
    this.#onLeader = onLeader;
    this.#channel = openBroadcast(this.#name, platform.openChannel);
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

  /** Connects to the leader; `undefined` when no leader answers in time, or `signal` aborts. */
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
      const at = randomId(this.#platform.crypto);
      const peer = this.#open(at);
      if (peer === undefined) return; // the caller's deadline reports it
      this.#onCall(peer); // listen first: the caller sends as soon as it has the name
      this.#post({ kind: 'answer', to: data.from, at });
    }
  }

  #open(at: string): Peer | undefined {
    const channel = openBroadcast(`${this.#name}/${at}`, this.#platform.openChannel);
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

/** A BroadcastChannel copies its messages, so the list of transferables is left out. */
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

/** Any script of the origin can post to the channel, so each message is checked. */
function isNotice(data: unknown): data is Notice {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, from, to, at } = data as Readonly<Record<string, unknown>>;
  if (kind === 'answer') return typeof to === 'string' && typeof at === 'string';
  return kind === 'leads' || (kind === 'call' && typeof from === 'string');
}
