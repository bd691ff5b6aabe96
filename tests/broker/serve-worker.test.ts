import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { serveWorker } from '../../src/broker/serve-worker.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { BrokerPort } from '../../src/protocol/port/broker-port.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { FakeLocks } from '../support/fake-locks.ts';
import { settle } from '../support/waiting.ts';

afterEach(() => vi.unstubAllGlobals());

test('a worker that may hold no lock tells who greets it, with the reason', async () => {
  const refusal = new DOMException('site data is blocked', 'SecurityError');
  vi.stubGlobal('navigator', { locks: { request: () => Promise.reject(refusal) } });
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => void process.off('unhandledRejection', unhandled));

  serveWorker(port2, { store: memoryStore() });
  port2.start();
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();

  const hello = { protocol: PROTOCOL_VERSION, log: 'shop', clientId: 'c', logId: null };
  const error = await errorOf(new BrokerPort(port1).hello(hello));
  expect(error).toMatchObject({ code: 'LOCKS_UNAVAILABLE', retriable: false });
  expect(error.cause).toMatchObject({ name: 'SecurityError', message: 'site data is blocked' });
});

/** A SharedWorker's scope, to which tabs connect. */
class SharedScope extends EventTarget {
  readonly onconnect = null;

  postMessage(): void {}

  connect(): BrokerPort {
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    this.dispatchEvent(Object.assign(new Event('connect'), { ports: [port2] }));
    return new BrokerPort(port1);
  }
}

test.each([
  ['let go', false],
  ['kept', true],
])('a worker whose lock was stolen, and %s, goes on under another id', async (_, isKept) => {
  const locks = new FakeLocks();
  void locks.request('tablog/client/c', () => new Promise(() => {})); // the tab lives
  const scope = new SharedScope();
  serveWorker(scope, { store: memoryStore(), platform: { locks } });
  const hello = { protocol: PROTOCOL_VERSION, log: 'shop', clientId: 'c', logId: null };
  const first = scope.connect();
  const { brokerId } = await first.hello(hello);
  const { logId } = await first.call('openLog', { logId: null });

  locks.take(`tablog/broker/${brokerId}`, isKept);
  await settle();
  const second = scope.connect();
  const greeted = await second.hello({ ...hello, logId });
  expect(greeted.brokerId).not.toBe(brokerId);
  expect(locks.held).toContain(`tablog/broker/${greeted.brokerId}`);
  expect(await second.call('openLog', { logId })).toMatchObject({ logId });
  // The worker is the same, and calls that the theft has not ended are answered.
  expect(await first.call('openLog', { logId })).toMatchObject({ logId });
});
