import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { serveWorker } from '../../src/broker/serve-worker.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { BrokerPort } from '../../src/protocol/broker-port.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { errorOf } from '../support/broker-fixture.ts';

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
