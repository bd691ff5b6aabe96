import { LogBroker } from '../../src/broker/log-broker.ts';
import { Connection } from '../../src/client/connection/connection.ts';
import { Log } from '../../src/client/log.ts';
import type { Broker, Method } from '../../src/protocol/broker.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { Random } from './random.ts';
import { Recorder } from './recorder.ts';
import { stubChannels } from './sim-channels.ts';
import type { SimChannels } from './sim-channels.ts';
import { SimLiveness } from './sim-liveness.ts';
import { Realm, RoundTrip, SimTime } from './sim-time.ts';

/** A maximum delay of 0: messages and transactions take no time. */
const AT_ONCE = 0;

/** A simulated browser: tabs and workers over one store, in a time that a walk moves. */
export class World {
  readonly time = new SimTime();
  readonly recorder = new Recorder(() => this.time.now());
  /** While `true`, some hints get lost. */
  losesHints = false;
  readonly #store = openMemoryStore(this.time.now());
  readonly #liveness = new SimLiveness();
  readonly #channels: SimChannels;
  readonly #random: Random;
  readonly #maxDelayMs: number;
  /** The SharedWorker of all tabs; `undefined` in the mode 'dedicated'. */
  readonly #shared: { readonly broker: LogBroker; readonly realm: Realm } | undefined;

  constructor(seed: number, mode: 'shared' | 'dedicated') {
    this.#random = new Random(seed + 1_000_003);
    this.#maxDelayMs = this.#random.pick([AT_ONCE, 5, 25]);
    const isLost = (): boolean => this.losesHints && this.#random.chance(0.6);
    this.#channels = stubChannels(this.time, () => this.#delay(), isLost);
    if (mode === 'shared') {
      const realm = new Realm(this.time);
      this.#shared = { realm, broker: this.#newBroker(realm) };
    }
  }

  openTab(): { readonly log: Log; readonly realm: Realm; die(): void } {
    const realm = new Realm(this.time);
    const worker = this.#shared?.realm ?? realm;
    const open = (): { broker: Broker; close(): void } => {
      const broker = this.#shared?.broker ?? this.#newBroker(realm);
      const close = (): void => {
        if (broker !== this.#shared?.broker) broker.close();
      };
      return { broker: this.#port(broker, realm, worker), close };
    };
    const host = { open };
    const connection = new Connection({ log: 'walk', host, workerUrl: undefined, clock: realm });
    const unlock = (): void => {
      this.#liveness.die(connection.clientId);
      this.#shared?.broker.forget(connection.clientId);
    };
    connection.closed.addEventListener('abort', unlock, { once: true });
    const log = this.#channels.inRealm(realm, () => new Log('walk', connection));
    return {
      log,
      realm,
      die: () => {
        realm.die();
        unlock();
      },
    };
  }

  #newBroker(realm: Realm): LogBroker {
    const store = this.#newStore(realm);
    return this.#channels.inRealm(
      realm,
      () =>
        new LogBroker({
          name: 'walk',
          openStore: async () => store,
          clock: realm,
          liveness: this.#liveness.in(realm),
        }),
    );
  }

  /** A port to the worker's broker that delays each call and each answer. */
  #port(broker: Broker, tab: Realm, worker: Realm): Broker {
    const roundTrip = new RoundTrip(this.time, () => this.#delay(), tab, worker);
    return new Proxy(broker, {
      get: (_, method: Method) => (request: never) =>
        roundTrip.call(() => this.recorder.listen(broker, method, request)),
    });
  }

  /** A connection to the shared store that delays each transaction and its answer. */
  #newStore(realm: Realm): Store {
    const closing = new AbortController();
    const watched = this.recorder.watch(this.#store);
    const roundTrip = new RoundTrip(this.time, () => this.#delay(), realm, realm);
    const perform = <T>(work: () => Promise<T>): Promise<T> => {
      closing.signal.throwIfAborted();
      return roundTrip.call(this.recorder.bind(work));
    };
    return {
      read: async (refs) => perform(() => this.#store.read(refs)),
      readAll: async (name) => perform(() => this.#store.readAll(name)),
      readSegments: async (requests) => perform(() => this.#store.readSegments(requests)),
      update: async (refs, decide, options) => perform(() => watched.update(refs, decide, options)),
      updatePartitions: async (refs, decide, options) =>
        perform(() => this.#store.updatePartitions(refs, decide, options)),
      closed: closing.signal,
      close: (reason) => closing.abort(reason),
    };
  }

  #delay(): number {
    if (this.#maxDelayMs === AT_ONCE || this.#random.chance(0.7)) return 0;
    return this.#random.int(1, this.#maxDelayMs);
  }
}
