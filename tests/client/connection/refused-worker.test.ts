import { afterEach, expect, test, vi } from 'vitest';
import { openLog } from '../../../src/index.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { stubContext } from '../../support/context.ts';

afterEach(() => vi.unstubAllGlobals());

test.each([
  ['shared', 'SharedWorker'],
  ['dedicated', 'Worker'],
] as const)(
  'a %s worker that may not be made is WORKER_FAILED, with the reason',
  async (host, name) => {
    const refusal = new DOMException('workers are denied', 'SecurityError');
    const locks = {
      request: (_name: string, _options: object, granted: (lock: object) => unknown) => granted({}),
    };
    stubContext('indexedDB');
    vi.stubGlobal('navigator', { locks });
    vi.stubGlobal(name, function Refused(): never {
      throw refusal;
    });
    const error = await errorOf(openLog('shop', { host, workerUrl: 'http://localhost/worker.js' }));
    expect(error).toMatchObject({ code: 'WORKER_FAILED', cause: refusal });
    expect(error.message).toContain('workers are denied');
  },
);
