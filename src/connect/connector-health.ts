import { deferred } from '../base/deferred.ts';
import { reportCallbackError } from '../platform/report-callback-error.ts';
import type { CheckedConnectOptions } from './connect-options.ts';
import type { ConnectorState } from './connector-status.ts';
import { SinkError } from './sink/sink-error.ts';

/** The state of a connector, and who is told of it. */
export class ConnectorHealth {
  readonly #onStatus: CheckedConnectOptions['onStatus'];
  #state: ConnectorState = 'starting';
  #error: SinkError | undefined;
  #failures = 0;
  #isPaused = false;
  #change = deferred();

  constructor(onStatus: CheckedConnectOptions['onStatus']) {
    this.#onStatus = onStatus;
  }

  get state(): ConnectorState {
    return this.#state;
  }

  /** The last failure; `undefined` once a delivery has succeeded. */
  get error(): SinkError | undefined {
    return this.#error;
  }

  /** The number of failed attempts so far. */
  get failures(): number {
    return this.#failures;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isOver(): boolean {
    return this.#state === 'failed' || this.#state === 'closed';
  }

  /** Resolves at the next delivery, failure or change of state. */
  get change(): Promise<void> {
    return this.#change.promise;
  }

  starting(): void {
    this.#error = undefined;
    this.#set('starting');
  }

  /** The target has taken something, or nothing has been tried. */
  running(): void {
    this.#error = undefined;
    this.#set(this.#isPaused ? 'paused' : 'running');
    this.#changed();
  }

  /** An attempt has failed, and is made again. */
  failed(error: SinkError): void {
    this.#failures++;
    this.#error = error;
    if (this.#isPaused) this.#set('paused', true);
    else this.#set(stateAfter(error), true);
  }

  /** Nothing is tried any more. */
  stopped({ message, cause }: SinkError): void {
    this.#error = new SinkError('fatal', message, { cause });
    this.#set('failed');
  }

  closed(): void {
    this.#set('closed');
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (this.isOver || this.#state === 'starting') return;
    if (isPaused) this.#set('paused');
    else this.#set(this.#error === undefined ? 'running' : stateAfter(this.#error));
  }

  /** `isNews`: tells it although the state is the same. */
  #set(state: ConnectorState, isNews: boolean = false): void {
    if (this.#state === state && !isNews) return;
    this.#state = state;
    this.#changed();
    try {
      this.#onStatus?.(state, this.#error);
    } catch (error) {
      reportCallbackError('onStatus of a connector', error);
    }
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = deferred();
  }
}

/** The state of a connector whose last attempt has failed. */
export function stateAfter({ kind }: SinkError): 'unauthorized' | 'backingOff' | 'offline' {
  if (kind === 'unauthorized') return kind;
  const onLine = globalThis.navigator?.onLine ?? true;
  return onLine ? 'backingOff' : 'offline';
}
