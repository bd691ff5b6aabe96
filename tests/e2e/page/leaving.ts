import type { Call } from '../../../src/protocol/wire.ts';

const AN_HOUR_MS = 3_600_000;

/** Kafka's `retry.backoff.ms`, which a producer waits after its second failure. */
const BACK_OFF_MS = 100;

/** The clock of this page has moved on. */
export function pass(ms: number): void {
  const now = Date.now.bind(Date);
  Date.now = () => now() + ms;
}

/**
 * From now on, batches meet a storage that is away; resolves when the producer backs off for that, and
 * goes on for an hour. Batches that are posted then reach the worker.
 */
export function failOnce(): Promise<void> {
  const unpatched = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'postMessage')!;
  MessagePort.prototype.postMessage = function (this: MessagePort, ...args: unknown[]): void {
    const { id, path, argumentList } = args[0] as Call;
    if (path?.[0] !== 'produce') {
      Reflect.apply(unpatched.value as () => void, this, args);
      return;
    }
    const { appends } = argumentList[0].value as { readonly appends: readonly unknown[] };
    const code = 'STORAGE_UNAVAILABLE';
    const error = {
      code,
      outcome: 'passing',
      retriable: true,
      next: '',
      happened: 'it is away',
      details: {},
    };
    const data = { id, type: 'RAW', value: { value: appends.map(() => ({ error })) } };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data })));
  };
  return new Promise((resolve) => {
    const setTimer = globalThis.setTimeout.bind(globalThis);
    globalThis.setTimeout = ((then: () => void, ms?: number) => {
      if (ms !== BACK_OFF_MS) return setTimer(then, ms);
      Object.defineProperty(MessagePort.prototype, 'postMessage', unpatched);
      resolve();
      return setTimer(then, AN_HOUR_MS);
    }) as typeof globalThis.setTimeout;
  });
}
